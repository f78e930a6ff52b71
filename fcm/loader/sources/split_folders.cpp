#include "fcm/loader/sources/split_folders.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <tuple>

#include "fcm/base/error.h"
#include "fcm/loader/sources/files_beside.h"
#include "fcm/loader/sources/image_ending.h"

namespace fcm::loader {
namespace {

namespace fs = std::filesystem;

// Words for the splits, in order of preference.
constexpr std::array<std::string_view, 3> kTrainWords{"train", "training", "trainval"};
constexpr std::array<std::string_view, 6> kValWords{"val", "valid", "validation",
                                                    "dev", "test",  "testing"};
constexpr size_t kFirstTestWord = 4;  // index in kValWords
// Words that do not distinguish a folder from one of the other split.
constexpr std::array<std::string_view, 22> kPlainWords{
    "set",    "sets",    "data", "dataset", "split", "images",  "image", "imgs",
    "img",    "picture", "pics", "photos",  "jpgs",  "jpg",     "jpeg",  "png",
    "sample", "samples", "dir",  "folder",  "full",  "pictures"};

template <class Words>
size_t rank(const Words& words, std::string_view word) {
  return static_cast<size_t>(std::find(words.begin(), words.end(), lower_case(word)) -
                             words.begin());
}

template <class Words>
bool is_among(const Words& words, std::string_view word) {
  return rank(words, word) < words.size();
}

// The words of a name in lower case. Words are delimited by ASCII characters that are not letters
// and by a change from small letter to capital. A plain word is removed if it is joined to a
// split's word: "trainset" becomes "train".
std::vector<std::string> words_of(std::string_view name) {
  const auto is_small = [](char letter) { return letter >= 'a' && letter <= 'z'; };
  const auto is_capital = [](char letter) { return letter >= 'A' && letter <= 'Z'; };
  std::vector<std::string> words{""};
  for (size_t i = 0; i < name.size(); ++i) {
    const bool is_between =
        static_cast<unsigned char>(name[i]) < 128 && !is_small(name[i]) && !is_capital(name[i]);
    const bool begins = i > 0 && is_small(name[i - 1]) && is_capital(name[i]);
    if ((is_between || begins) && !words.back().empty()) words.emplace_back();
    if (!is_between) words.back() += lower_case(name.substr(i, 1));
  }
  if (words.back().empty()) words.pop_back();
  for (size_t i = 0; i < words.size(); ++i) {
    for (const std::string_view plain : kPlainWords) {
      const std::string_view word = words[i];
      if (!word.ends_with(plain)) continue;
      const std::string first(word.substr(0, word.size() - plain.size()));
      if (!is_among(kTrainWords, first) && !is_among(kValWords, first)) continue;
      words[i] = first;
      break;
    }
  }
  return words;
}

// A folder or file, and what the words of its name say about splits.
struct NamedFolder {
  std::string name;
  bool train = false;
  size_t val_rank = kValWords.size();  // index in kValWords; its size: no word of validation
  bool is_bare = false;                // the name is exactly a word of a split
  std::vector<std::string> rest;       // other words, except plain ones

  explicit NamedFolder(std::string given) : name(std::move(given)) {
    is_bare = split_named(name).has_value();
    for (std::string& word : words_of(name)) {
      if (is_among(kTrainWords, word)) {
        train = true;
      } else if (is_among(kValWords, word)) {
        val_rank = std::min(val_rank, rank(kValWords, word));
      } else if (!is_among(kPlainWords, word)) {
        rest.push_back(std::move(word));
      }
    }
  }
  bool has_test() const { return val_rank >= kFirstTestWord && val_rank < kValWords.size(); }
  // A name with words of both training and test contains both, so it is neither split.
  bool is_named() const { return train ? !has_test() : val_rank < kValWords.size(); }
  Split split() const { return train ? Split::kTrain : Split::kVal; }
};

bool is_counted(const fs::path& path) {
  const std::string name = path.filename().string();
  return kind_of_hidden(name).empty() && !is_of_the_system(name);
}

bool holds_image(const fs::path& folder, int depth) {
  std::error_code error, ignored;
  std::vector<fs::path> below;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (is_image_ending(entry->path().extension().string())) return true;
    if (depth > 0 && entry->is_directory(ignored)) below.push_back(entry->path());
  }
  return std::ranges::any_of(below,
                             [&](const fs::path& path) { return holds_image(path, depth - 1); });
}

// Decides which folders with a split's word in their names are splits.
class Chooser {
 public:
  Chooser(const fs::path& folder, const std::vector<std::string>& names) : folder_(folder) {
    for (const std::string& name : names) {
      const NamedFolder named(name);
      (named.is_named() ? named_ : plain_).push_back(named);
    }
  }

  // The folder that is the split, or several if no rule prefers one of them.
  std::vector<std::string> of(Split split) const {
    std::vector<NamedFolder> found;
    for (const NamedFolder& folder : named_) {
      if (folder.split() == split && is_split(folder)) found.push_back(folder);
    }
    if (found.empty()) return {};
    // Criteria in descending order of importance: validation before test; a bare word before a
    // longer name; the word that comes first in the list; a name without other words
    // ("train_images") before one with other words ("train_masks").
    const auto order = [&](const NamedFolder& one) {
      const size_t word =
          split == Split::kTrain ? rank(kTrainWords, one.name) : rank(kValWords, one.name);
      return std::tuple(one.has_test(), !one.is_bare, one.is_bare ? word : 0, !one.rest.empty());
    };
    std::ranges::stable_sort(found, {}, order);
    prefer_filled(found);
    std::vector<std::string> best;
    for (const NamedFolder& one : found) {
      if (order(one) == order(found.front())) best.push_back(one.name);
    }
    if (found.front().is_bare) best.resize(1);
    if (best.size() == 1) return best;
    std::vector<std::string> with_images = best;
    std::erase_if(with_images,
                  [&](const std::string& name) { return !holds_image(folder_ / name, 2); });
    return with_images.empty() ? best : with_images;
  }

  // Folders other than `chosen` whose whole name is a word for the split. A folder for test beside
  // one for validation is usual, so it is not listed.
  std::vector<std::string> passed_over(const std::string& chosen, Split split) const {
    const NamedFolder best(chosen);
    std::vector<std::string> names;
    for (const NamedFolder& folder : named_) {
      if (!best.is_bare || !folder.is_bare || folder.split() != split) continue;
      if (folder.name == chosen || folder.has_test() != best.has_test()) continue;
      if (!is_empty(folder.name)) names.push_back(folder.name);
    }
    std::ranges::sort(names);
    return names;
  }

  // Folders that are named like splits but taken as classes.
  std::vector<std::string> doubtful() const {
    std::vector<std::string> names;
    for (const NamedFolder& folder : named_) {
      if (folder.rest.empty() && !is_split(folder)) names.push_back(folder.name);
    }
    return names;
  }

 private:
  bool is_empty(const std::string& name) const {
    std::error_code ignored;
    return fs::is_empty(folder_ / name, ignored);
  }

  // If the first folder is empty, moves another one before it: one that has content and whose name
  // is a bare word for the same split.
  void prefer_filled(std::vector<NamedFolder>& found) const {
    const NamedFolder& first = found.front();
    if (found.size() < 2 || !first.is_bare || !is_empty(first.name)) return;
    const auto filled = std::ranges::find_if(found, [&](const NamedFolder& other) {
      return other.is_bare && other.has_test() == first.has_test() && !is_empty(other.name);
    });
    if (filled != found.end()) std::rotate(found.begin(), filled, filled + 1);
  }

  bool is_split(const NamedFolder& folder) const {
    if (folder.is_bare) return true;
    const bool has_partner = std::ranges::any_of(named_, [&](const NamedFolder& other) {
      return other.split() != folder.split() && other.rest == folder.rest;
    });
    return has_partner || (is_alone() && (folder.rest.empty() || holds_folders_alone(folder.name)));
  }

  bool is_alone() const {
    return std::ranges::none_of(
        plain_, [&](const NamedFolder& other) { return holds_image(folder_ / other.name, 1); });
  }

  bool holds_folders_alone(const std::string& name) const {
    std::error_code error, ignored;
    bool has_folder = false;
    for (fs::directory_iterator entry(folder_ / name, error), end; !error && entry != end;
         entry.increment(error)) {
      if (!is_counted(entry->path())) continue;
      if (is_image_ending(entry->path().extension().string())) return false;
      has_folder |= entry->is_directory(ignored);
    }
    return has_folder;
  }

  const fs::path& folder_;
  std::vector<NamedFolder> named_, plain_;
};

}  // namespace

std::optional<Split> split_named(std::string_view word) {
  if (is_among(kTrainWords, word)) return Split::kTrain;
  if (is_among(kValWords, word)) return Split::kVal;
  return std::nullopt;
}

SplitFolders split_folders_in(const fs::path& folder) {
  SplitFolders splits;
  std::vector<std::string> names;
  const auto see = [&](const fs::directory_entry& entry, const std::string& name) {
    std::error_code ignored;
    // A dangling link that is named like a split counts as a folder; listing it reports the fault.
    const bool is_lost = entry.is_symlink(ignored) && !entry.exists(ignored) &&
                         ending_of(name).empty() && NamedFolder(name).is_named();
    if (!is_lost && !entry.is_directory(ignored)) {
      splits.files.add(kind_of_name(name), name);
    } else if (is_of_the_system(name)) {
      splits.files.add("system folders", name);
    } else {
      names.push_back(name);
    }
  };
  const std::error_code error = for_each_visible(folder, splits.files, see);
  if (error) fail(ExitCode::kData, "cannot list {}: {}", folder.string(), error.message());
  // Among names of equal rank the first is chosen; descending order puts lower case first.
  std::sort(names.begin(), names.end(), std::greater<>());
  const Chooser chooser(folder, names);
  const auto take = [&](std::string& place, std::vector<std::string>& rivals,
                        std::vector<std::string>& passed_over, Split split) {
    const std::vector<std::string> found = chooser.of(split);
    if (found.empty()) return;
    place = found.front();
    if (found.size() > 1) rivals.assign(found.rbegin(), found.rend());
    passed_over = chooser.passed_over(place, split);
    std::erase(names, place);
  };
  take(splits.train, splits.train_rivals, splits.train_passed_over, Split::kTrain);
  take(splits.val, splits.val_rivals, splits.val_passed_over, Split::kVal);
  if (!splits.any()) splits.doubtful = chooser.doubtful();
  std::reverse(names.begin(), names.end());
  splits.others = std::move(names);
  return splits;
}

fs::path folder_with_splits(const fs::path& folder) {
  const SplitFolders here = split_folders_in(folder);
  if (here.any() || image_signs_in(folder).images > 0) return folder;
  std::vector<fs::path> with_images;
  for (const std::string& name : here.others) {
    if (with_images.size() < 2 && holds_image(folder / name, 3)) {
      with_images.push_back(folder / name);
    }
  }
  if (with_images.size() != 1) return folder;
  const SplitFolders below = split_folders_in(with_images.front());
  return below.train.empty() || below.val.empty() ? folder : with_images.front();
}

void refuse_rivals(const fs::path& folder, const SplitFolders& splits, Split split) {
  const std::vector<std::string>& rivals = splits.rivals(split);
  if (rivals.empty()) return;
  fail(ExitCode::kData,
       "{} has {} folders that could be the {} images, {}, and none called {}: rename or link the "
       "right one to {}, or move the others away",
       folder.string(), rivals.size(), split == Split::kTrain ? "training" : "validation",
       fmt::join(rivals, " and "), split == Split::kTrain ? "train" : "val",
       split == Split::kTrain ? "train" : "val");
}

std::vector<std::string> warnings_of(const SplitFolders& splits) {
  std::vector<std::string> warnings;
  const auto add = [&](const std::string& name, const std::vector<std::string>& others,
                       const char* what) {
    if (others.empty()) return;
    warnings.push_back(
        fmt::format("{}/ is read as the {} images, and {}/ beside it is not, though "
                    "named for the same split",
                    name, what, fmt::join(others, "/ and ")));
  };
  add(splits.train, splits.train_passed_over, "training");
  add(splits.val, splits.val_passed_over, "validation");
  return warnings;
}

ImageSigns image_signs_in(const fs::path& folder) {
  std::error_code error, ignored;
  ImageSigns signs;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (!is_counted(entry->path())) continue;
    if (entry->is_directory(ignored)) {
      signs.folders += holds_image(entry->path(), 1) ? 1 : 0;
    } else {
      signs.images += is_image_ending(entry->path().extension().string()) ? 1 : 0;
    }
  }
  return signs;
}

NamedSplits splits_by_name(const std::vector<fs::path>& files) {
  std::vector<NamedFolder> named;
  for (const fs::path& file : files) named.emplace_back(file.filename().string());
  const auto is_val = [](const NamedFolder& one) {
    return !one.train && one.val_rank < kFirstTestWord;
  };
  const auto is_test = [](const NamedFolder& one) { return !one.train && one.has_test(); };
  const auto val = std::ranges::count_if(named, is_val),
             test = std::ranges::count_if(named, is_test);
  NamedSplits splits;
  splits.are_named = val + test > 0 && val + test < std::ssize(files);
  for (size_t i = 0; i < files.size(); ++i) {
    if (!splits.are_named) {
      splits.train.push_back(files[i]);
      splits.val.push_back(files[i]);
    } else if (is_val(named[i]) || (is_test(named[i]) && val == 0)) {
      splits.val.push_back(files[i]);
    } else {
      (is_test(named[i]) ? splits.test : splits.train).push_back(files[i]);
    }
  }
  return splits;
}

}  // namespace fcm::loader
