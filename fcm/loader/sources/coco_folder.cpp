#include "fcm/loader/sources/coco_folder.h"

#include <array>
#include <unordered_set>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/loader/sources/coco_file.h"
#include "fcm/loader/sources/encoded.h"
#include "fcm/loader/sources/files_beside.h"
#include "fcm/loader/sources/image_ending.h"

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

std::optional<CocoPlaces> find_coco(const fs::path& folder, Split split) {
  for (const char* const year : kYears) {
    const std::string name = split_word(split, year);
    const fs::path file = folder / kAnnotations / annotations_file(name);
    std::error_code ignored;
    if (fs::is_regular_file(file, ignored)) return CocoPlaces{file, folder / name};
  }
  return std::nullopt;
}

// Files in the folder and in annotations/ that belong to neither split.
LeftOut beside_coco(const fs::path& folder) {
  std::unordered_set<std::string> folders{kAnnotations}, files;
  for (const Split split : {Split::kTrain, Split::kVal}) {
    const auto places = find_coco(folder, split);
    if (!places) continue;
    folders.insert(places->images.filename().string());
    files.insert(places->annotations.filename().string());
  }
  LeftOut beside =
      files_beside(folder, [&](const std::string& name) { return folders.contains(name); });
  beside.add(files_beside(folder / kAnnotations,
                          [&](const std::string& name) { return files.contains(name); }));
  return beside;
}

class CocoImages final : public EncodedDataset {
 public:
  CocoImages(const fs::path& folder, const CocoPlaces& places)
      : places_(places), file_(places.annotations) {
    remarks_.left_out = remarks_.beside = beside_coco(folder);
    remarks_.left_out.add(file_.left_out());
    remarks_.notes = file_.notes();
    remarks_.no_labels =
        fmt::format("{} has objects, but no labels of whole images", folder.string());
    compare_with_folder();
  }

  int64_t size() const override { return file_.size(); }
  int64_t label(int64_t) const override { return -1; }
  const std::vector<std::string>& classes() const override { return none_; }
  std::string name(int64_t index) const override {
    return (places_.images / file_.image_name(index)).string();
  }
  std::string read(int64_t index) const override { return read_file(name(index), ExitCode::kData); }

  bool has_instances() const override { return true; }
  Instances instances(int64_t index) const override { return file_.instances(index); }
  ImageRecord image_record(int64_t index) const override { return file_.record(index); }
  const InstanceClasses& instance_classes() const override { return file_.classes(); }

 private:
  bool turns_upright() const override { return true; }
  void check_size(int64_t index, int64_t rows, int64_t cols) const override {
    const ImageRecord& record = file_.record(index);
    if (record.rows == rows && record.cols == cols) return;
    const bool lies = record.rows == cols && record.cols == rows && rows != cols;
    fail(ExitCode::kData, "it has {}x{} pixels, but {} records {}x{}{}", cols, rows,
         places_.annotations.string(), record.cols, record.rows,
         lies ? "; the sides are swapped: the record must give the size after the EXIF rotation"
              : "");
  }

  // Counts images without a record, and notes records without an image.
  void compare_with_folder() {
    std::unordered_set<std::string> files;
    const std::error_code error = for_each_visible(
        places_.images, remarks_.left_out,
        [&](const fs::directory_entry&, const std::string& name) { files.insert(name); });
    if (error) {
      fail(ExitCode::kData, "cannot list {}, where the images of {} should be: {}",
           places_.images.string(), places_.annotations.string(), error.message());
    }
    std::vector<std::string> missing;
    for (int64_t i = 0; i < file_.size(); ++i) {
      std::string image(file_.image_name(i));
      std::error_code ignored;
      if (files.erase(image) > 0 || fs::exists(name(i), ignored)) continue;
      missing.push_back(std::move(image));
    }
    for (const std::string& name : files) remarks_.left_out.add(kind_without_record(name), name);
    if (missing.empty()) return;
    if (std::ssize(missing) == file_.size()) {
      fail(ExitCode::kData, "none of the {} images of {} is in {}; looked for {}", file_.size(),
           places_.annotations.string(), places_.images.string(), some_of(missing));
    }
    remarks_.notes.push_back(fmt::format("{} of {} recorded images are not in {} ({})",
                                         missing.size(), file_.size(), places_.images.string(),
                                         some_of(missing)));
  }

  static std::string kind_without_record(const std::string& name) {
    return is_image_ending(ending_of(name)) ? "images without a record" : kind_of_name(name);
  }

  const CocoPlaces places_;
  const CocoFile file_;
  const std::vector<std::string> none_;
};

}  // namespace

bool holds_coco(const fs::path& folder, Split split) {
  return find_coco(folder, split).has_value();
}

bool holds_coco(const fs::path& folder) {
  return holds_coco(folder, Split::kTrain) || holds_coco(folder, Split::kVal);
}

std::optional<CocoPlaces> coco_places_in(const fs::path& folder, Split split) {
  auto places = find_coco(folder, split);
  if (!places && holds_coco(folder)) {
    const std::string with_year = split_word(split, kYears[0]),
                      without = split_word(split, kYears[1]);
    fail(ExitCode::kData, "{} has COCO annotations, but none for {}: looked for {} and {} in {}/",
         folder.string(), split == Split::kTrain ? "training" : "validation",
         annotations_file(with_year), annotations_file(without), kAnnotations);
  }
  return places;
}

std::unique_ptr<Dataset> open_coco_folder(const fs::path& folder, const CocoPlaces& places) {
  return std::make_unique<CocoImages>(folder, places);
}

}  // namespace fcm::loader
