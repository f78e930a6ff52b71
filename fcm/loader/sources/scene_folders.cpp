#include "fcm/loader/sources/scene_folders.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <utility>

#include "fcm/base/counted.h"
#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/loader/sources/encoded.h"
#include "fcm/loader/sources/files_beside.h"
#include "fcm/loader/sources/image_ending.h"
#include "fcm/loader/sources/joined_names.h"
#include "fcm/loader/sources/map_classes.h"
#include "fcm/loader/sources/split_folders.h"

namespace fcm::loader {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 6> kImageFolders{"images", "image",    "imgs",
                                                        "img",    "pictures", "photos"};
constexpr std::array<std::string_view, 4> kMapFolders{"annotations", "labels", "masks", "maps"};
constexpr std::string_view kMapEnding = ".png";

template <class IsWanted>
bool holds_file(const fs::path& folder, const IsWanted& is_wanted) {
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (is_wanted(entry->path().extension().string())) return true;
  }
  return false;
}

bool is_map_ending(std::string_view ending) { return lower_case(ending) == kMapEnding; }

// Whether the folder, or a split folder directly in it, contains a file with a wanted extension.
template <class IsWanted>
bool holds_of_any_split(const fs::path& folder, const IsWanted& is_wanted) {
  if (holds_file(folder, is_wanted)) return true;
  const SplitFolders splits = split_folders_in(folder);
  return (!splits.train.empty() && holds_file(folder / splits.train, is_wanted)) ||
         (!splits.val.empty() && holds_file(folder / splits.val, is_wanted));
}

struct Pair {
  std::string images, maps;                           // names of the folders; "": none
  std::vector<std::string> other_images, other_maps;  // folders that could be meant as well
  explicit operator bool() const { return !images.empty() && !maps.empty(); }
};

// The names that are among `words`, in the order of `words`.
template <class Words>
std::vector<std::string> named_as(const Words& words, const std::vector<std::string>& names) {
  const auto rank = [&](const std::string& name) {
    return std::ranges::find(words, lower_case(name)) - words.begin();
  };
  std::vector<std::string> found;
  std::ranges::copy_if(names, std::back_inserter(found),
                       [&](const std::string& name) { return rank(name) < std::ssize(words); });
  std::ranges::sort(found, {},
                    [&](const std::string& name) { return std::pair(rank(name), name); });
  return found;
}

// The folder of images and the folder of maps in `folder`. The first must hold an image and the
// second a PNG, since class folders may have these names too, and a folder of other annotations may
// lie beside the maps.
Pair pair_in(const fs::path& folder) {
  std::vector<std::string> names;
  LeftOut ignored_names;
  for_each_visible(folder, ignored_names,
                   [&](const fs::directory_entry& entry, const std::string& name) {
                     std::error_code ignored;
                     if (entry.is_directory(ignored)) names.push_back(name);
                   });
  Pair pair;
  const std::vector<std::string> of_images = named_as(kImageFolders, names);
  const std::vector<std::string> of_maps = named_as(kMapFolders, names);
  if (of_images.empty() || of_maps.empty()) return pair;
  const auto take = [&](const std::vector<std::string>& candidates, const auto& is_wanted,
                        std::string& best, std::vector<std::string>& others) {
    for (const std::string& name : candidates) {
      if (!holds_of_any_split(folder / name, is_wanted)) continue;
      if (best.empty()) {
        best = name;
      } else {
        others.push_back(name);
      }
    }
  };
  take(of_images, is_image_ending, pair.images, pair.other_images);
  take(of_maps, is_map_ending, pair.maps, pair.other_maps);
  return pair;
}

LeftOut beside_scenes(const fs::path& folder, const std::vector<std::string>& taken) {
  constexpr std::array<std::string_view, 3> kNameFiles{"objectInfo150.txt", "classes.json",
                                                       "classes.txt"};
  return files_beside(folder, [&](const std::string& name) {
    return std::ranges::find(taken, name) != taken.end() ||
           std::ranges::find(kNameFiles, name) != kNameFiles.end();
  });
}

// The folder of `split`: "" if it is missing, nullopt if there are no split folders.
std::optional<std::string> place_of(const fs::path& folder, Split split,
                                    std::vector<std::string>& warnings) {
  const SplitFolders splits = split_folders_in(folder);
  if (!splits.any()) return std::nullopt;
  refuse_rivals(folder, splits, split);
  for (const std::string& warning : warnings_of(splits)) {
    warnings.push_back(folder.filename().string() + "/" + warning);
  }
  return splits.of(split);
}

std::vector<std::string> other_candidates(const Pair& pair) {
  std::vector<std::string> warnings;
  const auto add = [&](const std::string& name, const std::vector<std::string>& others,
                       const char* what) {
    if (others.empty()) return;
    warnings.push_back(
        fmt::format("{}/ is read as the {}, and {}/ beside it is not, though it has "
                    "{} too",
                    name, what, fmt::join(others, "/ and "), what));
  };
  add(pair.images, pair.other_images, "images");
  add(pair.maps, pair.other_maps, "maps");
  return warnings;
}

// The split in images/train and masks/train; or in images and masks, which then serve as both
// splits.
std::optional<SceneFolders> pair_with_splits(const fs::path& folder, const Pair& pair,
                                             Split split) {
  const fs::path images = folder / pair.images, maps = folder / pair.maps;
  SceneFolders places{images, maps, beside_scenes(folder, {pair.images, pair.maps}),
                      other_candidates(pair)};
  const auto of_images = place_of(images, split, places.warnings);
  const auto of_maps = place_of(maps, split, places.warnings);
  if (of_images && of_images->empty()) return std::nullopt;
  if (of_images) places.images /= *of_images;
  if (of_maps) places.maps = of_maps->empty() ? fs::path() : maps / *of_maps;
  return places;
}

struct Found {
  std::optional<SceneFolders> places;  // of the split
  bool is_there = false;               // whether the folder holds images beside maps, of any split
};

Found find_scenes(const fs::path& folder, Split split) {
  if (const Pair pair = pair_in(folder)) {
    return {pair_with_splits(folder, pair, split), true};
  }
  const SplitFolders splits = split_folders_in(folder);
  const auto pair_of = [&](Split one) {
    const std::string& name = splits.of(one);
    if (name.empty()) return Pair();
    return pair_in(folder / name);
  };
  Found found;
  found.is_there = pair_of(Split::kTrain) || pair_of(Split::kVal);
  if (const Pair pair = pair_of(split)) {
    const fs::path place = folder / splits.of(split);
    found.places =
        SceneFolders{place / pair.images, place / pair.maps,
                     beside_scenes(folder, {splits.train, splits.val}), warnings_of(splits)};
    for (std::string& line : other_candidates(pair))
      found.places->warnings.push_back(std::move(line));
    found.places->beside.add(beside_scenes(place, {pair.images, pair.maps}));
  }
  return found;
}

std::string_view stem_of(std::string_view name) {
  return name.substr(0, name.size() - ending_of(name).size());
}

// Sorted names of the files with a wanted extension; other entries are counted as left out.
template <class IsWanted>
std::vector<std::string> files_in(const fs::path& folder, LeftOut& left_out,
                                  const IsWanted& is_wanted) {
  std::vector<std::string> names;
  const std::error_code error = for_each_visible(
      folder, left_out, [&](const fs::directory_entry& entry, const std::string& name) {
        std::error_code ignored;
        if (entry.is_directory(ignored)) {
          left_out.add("folders", name);
        } else if (is_wanted(ending_of(name))) {
          names.push_back(name);
        } else {
          left_out.add(kind_of_name(name), name);
        }
      });
  if (error) fail(ExitCode::kData, "cannot list {}: {}", folder.string(), error.message());
  std::ranges::sort(names);
  return names;
}

class ImagesWithMaps final : public EncodedDataset {
 public:
  ImagesWithMaps(const fs::path& folder, const SceneFolders& places) : places_(places) {
    remarks_.left_out = remarks_.left_out_of_both_splits = places.beside;
    remarks_.warnings = places.warnings;
    remarks_.no_labels =
        fmt::format("{} has class maps, but no labels of whole images", folder.string());
    classes_of_maps_ = read_map_classes(folder, remarks_);
    take_files();
  }

  int64_t size() const override { return names_.size(); }
  int64_t label(int64_t) const override { return -1; }
  const std::vector<std::string>& classes() const override { return none_; }
  std::string name(int64_t index) const override {
    return (places_.images / names_.at(index)).string();
  }
  std::string read(int64_t index) const override { return read_file(name(index), ExitCode::kData); }

  bool has_maps() const override { return map_count_ > 0; }
  const MapClasses& map_classes() const override { return classes_of_maps_; }
  ClassMap class_map(int64_t index) const override {
    const std::string_view map_name = maps_.at(index);
    if (map_name.empty()) {
      fail(ExitCode::kData, "{} has no class map: looked for {}{} in {}", name(index),
           stem_of(names_.at(index)), kMapEnding,
           places_.maps.empty() ? "a folder of maps of this split, which does not exist"
                                : places_.maps.string());
    }
    const std::string file = (places_.maps / map_name).string();
    const std::string bytes = read_file(file, ExitCode::kData);
    try {
      image::Image map =
          image::decode_class_map({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
      return {map.rows, map.cols, std::move(map.pixels)};
    } catch (const Error& error) {
      fail(error.code(), "{}: {}", file, error.what());
    }
  }

 private:
  void take_files() {
    LeftOut& left_out = remarks_.left_out;
    const std::vector<std::string> images = files_in(places_.images, left_out, is_image_ending);
    if (images.empty()) {
      fail(ExitCode::kData, "no images in {}: looked for {}; {}", places_.images.string(),
           kImageEndingsText, left_out.empty() ? "it is empty" : "found " + as_text(left_out));
    }
    std::map<std::string, std::string, std::less<>> map_of_stem;
    std::map<std::string, bool, std::less<>> is_used;
    if (!places_.maps.empty()) {
      for (const std::string& name : files_in(places_.maps, left_out, is_map_ending)) {
        map_of_stem.emplace(stem_of(name), name);
      }
    }
    std::vector<std::string> without_map, sharing;  // sharing: the map of an earlier image
    for (const std::string& image : images) {
      const auto map = map_of_stem.find(stem_of(image));
      const bool is_there = map != map_of_stem.end();
      names_.add(image);
      maps_.add(is_there ? std::string_view(map->second) : std::string_view());
      if (is_there) {
        ++map_count_;
        if (std::exchange(is_used[map->first], true)) sharing.push_back(image);
      } else {
        without_map.push_back(image);
      }
    }
    for (const auto& [stem, map] : map_of_stem) {
      if (!is_used.contains(stem)) left_out.add("maps without an image", map);
    }
    if (!without_map.empty()) {
      remarks_.notes.push_back(fmt::format("{} of {} {} no class map ({})", without_map.size(),
                                           counted(std::ssize(images), "image", "images"),
                                           noun(std::ssize(without_map), "has", "have"),
                                           some_of(without_map)));
    }
    if (!sharing.empty()) {
      remarks_.warnings.push_back(fmt::format(
          "{} of {} {} the class map of another image, whose name differs only in the extension "
          "({})",
          sharing.size(), counted(std::ssize(images), "image", "images"),
          noun(std::ssize(sharing), "has", "have"), some_of(sharing)));
    }
    names_.shrink();
    maps_.shrink();
  }

  const SceneFolders places_;
  const std::vector<std::string> none_;
  MapClasses classes_of_maps_;
  JoinedNames names_, maps_;  // file names; "" in maps_: no map
  int64_t map_count_ = 0;
};

}  // namespace

std::optional<SceneFolders> scene_folders_in(const fs::path& folder, Split split) {
  const Found found = find_scenes(folder, split);
  if (found.is_there && !found.places) {
    const bool train = split == Split::kTrain;
    fail(ExitCode::kData,
         "{} has images and class maps, but none for {}: looked for a folder {} in the folder of "
         "images",
         folder.string(), train ? "training" : "validation",
         train ? "train or training" : "val or validation");
  }
  return found.places;
}

bool holds_scenes(const fs::path& folder) { return find_scenes(folder, Split::kTrain).is_there; }

bool holds_scenes(const fs::path& folder, Split split) {
  return find_scenes(folder, split).places.has_value();
}

std::unique_ptr<Dataset> open_scene_folders(const fs::path& folder, const SceneFolders& places) {
  return std::make_unique<ImagesWithMaps>(folder, places);
}

}  // namespace fcm::loader
