#include "fcm/loader/sources/coco_folder.h"

#include <algorithm>
#include <array>
#include <set>
#include <unordered_set>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/loader/sources/coco_file.h"
#include "fcm/loader/sources/encoded.h"
#include "fcm/loader/sources/files_beside.h"
#include "fcm/loader/sources/image_ending.h"
#include "fcm/loader/sources/repeated_images.h"

namespace fcm::loader {
namespace {

namespace fs = std::filesystem;

constexpr const char* kAnnotations = "annotations";
constexpr std::array kYears{"2017", ""};

std::string split_word(Split split, const char* year) {
  return fmt::format("{}{}", split == Split::kTrain ? "train" : "val", year);
}

std::string annotations_file(const std::string& split_name) {
  return fmt::format("instances_{}.json", split_name);
}

std::optional<CocoPaths> find_coco(const fs::path& folder, Split split) {
  for (const char* const year : kYears) {
    const std::string name = split_word(split, year);
    const fs::path file = folder / kAnnotations / annotations_file(name);
    std::error_code ignored;
    if (fs::is_regular_file(file, ignored)) return CocoPaths{file, folder / name};
  }
  return std::nullopt;
}

// The folder to which the image names in the file are relative. Annotation tools use different
// folders. Of these, the one in which the most of 50 names exist is returned (the first of equals).
fs::path find_image_folder(const fs::path& folder, const CocoPaths& paths, const CocoFile& file) {
  constexpr int64_t kMost = 50;
  const std::string split = paths.images.filename().string();
  const int64_t count = std::min(kMost, file.size());
  fs::path best = paths.images;
  int64_t most = 0;
  for (const fs::path& candidate :
       {paths.images, folder / "images" / split, folder / "images", folder}) {
    int64_t found = 0;
    for (int64_t i = 0; i < count; ++i) {
      std::error_code ignored;
      found += fs::exists(candidate / file.image_name(i * file.size() / count), ignored) ? 1 : 0;
    }
    if (found > most) {
      most = found;
      best = candidate;
    }
    if (most == count) break;
  }
  return best;
}

// The first component of a path.
std::string first_part(const fs::path& path) {
  return path.empty() ? std::string() : path.begin()->string();
}

// Files in the folder and in annotations/ that belong to neither split. `images`: the folder of
// this split's images; `first`: the name of one image in it.
LeftOut beside_coco(const fs::path& folder, const fs::path& images, std::string_view first) {
  std::unordered_set<std::string> folders{kAnnotations}, files;
  folders.insert(first_part((images / first).lexically_relative(folder)));
  for (const Split split : {Split::kTrain, Split::kVal}) {
    const auto paths = find_coco(folder, split);
    if (!paths) continue;
    folders.insert(paths->images.filename().string());
    files.insert(paths->annotations.filename().string());
  }
  LeftOut beside =
      files_beside(folder, [&](const std::string& name) { return folders.contains(name); });
  beside.add(files_beside(folder / kAnnotations,
                          [&](const std::string& name) { return files.contains(name); }));
  return beside;
}

class CocoImages final : public EncodedDataset {
 public:
  CocoImages(const fs::path& folder, const CocoPaths& paths)
      : file_(paths.annotations),
        paths_{paths.annotations, find_image_folder(folder, paths, file_)},
        is_data_folder_(paths_.images == folder) {
    remarks_.left_out = remarks_.left_out_of_both_splits =
        beside_coco(folder, paths_.images, file_.image_name(0));
    remarks_.left_out.add(file_.left_out());
    remarks_.notes = file_.notes();
    remarks_.warnings = file_.warnings();
    if (paths_.images != paths.images) {
      remarks_.notes.push_back(fmt::format("the image names in {} are relative to {}",
                                           paths_.annotations.string(), paths_.images.string()));
    }
    warn_of_other_years(folder);
    warn_of_repeated(
        file_.size(), [&](int64_t i) { return file_.image_name(i); }, paths_.images,
        paths_.annotations.string(), remarks_);
    remarks_.no_labels =
        fmt::format("{} has objects, but no labels of whole images", folder.string());
    compare_with_folder();
  }

  int64_t size() const override { return file_.size(); }
  int64_t label(int64_t) const override { return -1; }
  const std::vector<std::string>& classes() const override { return none_; }
  std::string name(int64_t index) const override {
    return (paths_.images / file_.image_name(index)).string();
  }
  std::string read(int64_t index) const override { return read_file(name(index), ExitCode::kData); }

  bool has_instances() const override { return true; }
  Instances instances(int64_t index) const override { return file_.instances(index); }
  ImageRecord image_record(int64_t index) const override { return file_.record(index); }
  const InstanceClasses& instance_classes() const override { return file_.classes(); }

  bool applies_orientation() const override { return true; }

 private:
  void check_size(int64_t index, int64_t rows, int64_t cols) const override {
    const ImageRecord& record = file_.record(index);
    if (record.rows == rows && record.cols == cols) return;
    const bool lies = record.rows == cols && record.cols == rows && rows != cols;
    fail(ExitCode::kData, "it has {}x{} pixels, but {} records {}x{}{}", cols, rows,
         paths_.annotations.string(), record.cols, record.rows,
         lies ? "; the sides are swapped: the record must give the size after the EXIF rotation"
              : "");
  }

  // A file with the year is read in preference to one without; warns about the latter.
  void warn_of_other_years(const fs::path& folder) {
    const std::string own = paths_.annotations.filename().string();
    for (const Split split : {Split::kTrain, Split::kVal}) {
      if (own != annotations_file(split_word(split, kYears[0]))) continue;
      const std::string other = annotations_file(split_word(split, kYears[1]));
      std::error_code ignored;
      if (!fs::is_regular_file(folder / kAnnotations / other, ignored)) continue;
      remarks_.warnings.push_back(fmt::format(
          "{} is read, and {} beside it is not, though named for the same split", own, other));
    }
  }

  // Counts images without a record, and notes records without an image.
  void compare_with_folder() {
    std::unordered_set<std::string> files = files_of_images();
    std::vector<std::string> missing;
    for (int64_t i = 0; i < file_.size(); ++i) {
      std::error_code ignored;
      const std::string image = normal_name(file_.image_name(i), paths_.images);
      if (files.erase(image) > 0 || fs::exists(name(i), ignored)) continue;
      missing.emplace_back(file_.image_name(i));
    }
    for (const std::string& name : files) remarks_.left_out.add(kind_without_record(name), name);
    if (missing.empty()) return;
    if (std::ssize(missing) == file_.size()) {
      const bool of_windows = missing.front().find('\\') != std::string::npos;
      fail(
          ExitCode::kData, "none of the {} images of {} is in {}; looked for {}{}", file_.size(),
          paths_.annotations.string(), paths_.images.string(), some_of(missing),
          of_windows ? "; folders in file_name must be separated by / instead of backslashes" : "");
    }
    remarks_.notes.push_back(fmt::format("{} of {} recorded images are not in {} ({})",
                                         missing.size(), file_.size(), paths_.images.string(),
                                         some_of(missing)));
  }

  static std::string folder_of(const std::string& path) {
    const size_t slash = path.rfind('/');
    return slash == std::string::npos ? std::string() : path.substr(0, slash);
  }

  // The files in the folders of the images, relative to paths_.images. Counts other folders there
  // as left out.
  std::unordered_set<std::string> files_of_images() {
    std::set<std::string> folders;  // of images, and those above them
    for (int64_t i = 0; i < file_.size(); ++i) {
      std::string folder = folder_of(normal_name(file_.image_name(i), paths_.images));
      while (folders.insert(folder).second && !folder.empty()) folder = folder_of(folder);
    }
    std::unordered_set<std::string> files;
    for (const std::string& folder : folders) {
      const auto see = [&](const fs::directory_entry& entry, const std::string& name) {
        std::error_code ignored;
        const std::string path = folder.empty() ? name : folder + "/" + name;
        if (folders.contains(path)) return;
        if (entry.is_directory(ignored)) {
          remarks_.left_out.add("folders", path);
        } else {
          files.insert(path);
        }
      };
      // beside_coco() has counted the entries of the data folder itself.
      if (folder.empty() && is_data_folder_) continue;
      const std::error_code error =
          for_each_visible(paths_.images / folder, remarks_.left_out, see);
      if (error && folder.empty()) {
        fail(ExitCode::kData, "cannot list {}, where the images of {} should be: {}",
             paths_.images.string(), paths_.annotations.string(), error.message());
      }
    }
    return files;
  }

  static std::string kind_without_record(const std::string& name) {
    return is_image_ending(ending_of(name)) ? "images without a record" : kind_of_name(name);
  }

  const CocoFile file_;
  const CocoPaths paths_;
  const bool is_data_folder_;  // the images' names are relative to the data folder itself
  const std::vector<std::string> none_;
};

}  // namespace

bool holds_coco(const fs::path& folder, Split split) {
  return find_coco(folder, split).has_value();
}

bool holds_coco(const fs::path& folder) {
  return holds_coco(folder, Split::kTrain) || holds_coco(folder, Split::kVal);
}

std::optional<CocoPaths> coco_paths_in(const fs::path& folder, Split split) {
  auto paths = find_coco(folder, split);
  if (!paths && holds_coco(folder)) {
    const std::string with_year = split_word(split, kYears[0]),
                      without = split_word(split, kYears[1]);
    fail(ExitCode::kData, "{} has COCO annotations, but none for {}: looked for {} and {} in {}/",
         folder.string(), split == Split::kTrain ? "training" : "validation",
         annotations_file(with_year), annotations_file(without), kAnnotations);
  }
  return paths;
}

std::unique_ptr<Dataset> open_coco_folder(const fs::path& folder, const CocoPaths& paths) {
  return std::make_unique<CocoImages>(folder, paths);
}

}  // namespace fcm::loader
