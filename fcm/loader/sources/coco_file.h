// A COCO instances file: images in the order of their ids, each with its objects.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "fcm/loader/sources/coco_tables.h"

namespace fcm::loader {

class CocoFile {
 public:
  // Uses less than twice the file's size of memory. Throws Error(kData) if the file is not JSON,
  // not a COCO instances file, or has no images or categories. Unusable entries are skipped and
  // counted: images and annotations that are incomplete or repeat an id; annotations of unknown
  // images or categories, without a polygon, with non-finite numbers or with masks that do not fit
  // their image.
  explicit CocoFile(const std::filesystem::path& file);

  int64_t size() const { return std::ssize(order_); }
  const ImageRecord& record(int64_t index) const {
    return tables_.images[order_[static_cast<size_t>(index)]];
  }
  std::string_view image_name(int64_t index) const {
    return tables_.names.at(order_[static_cast<size_t>(index)]);
  }
  // Annotations in the order of the file.
  Instances instances(int64_t index) const;
  const InstanceClasses& classes() const { return classes_; }

  const LeftOut& left_out() const { return tables_.left_out; }
  // Assumptions made, one sentence each.
  std::vector<std::string> notes() const;
  // What is probably a mistake in the file, likewise.
  std::vector<std::string> warnings() const;

 private:
  std::string after_left_out() const;  // of a message, if anything was left out
  void sort_images(const std::filesystem::path& file);
  void sort_categories(const std::filesystem::path& file);
  void sort_annotations();
  std::vector<bool> repeated_ids() const;  // per annotation, whether its id occurred before
  // The index of the annotation's image; or -1, and the annotation is counted as left out.
  int64_t image_of(const CocoAnnotation& annotation);
  void look_for_repeated();
  void look_at_box(const CocoAnnotation& annotation, const ImageRecord& image);

  CocoTables tables_;
  std::vector<uint32_t> order_;  // images by id: indices into tables_
  InstanceClasses classes_;
  std::vector<uint32_t> by_image_;  // indices of annotations, grouped by image
  std::vector<uint32_t> begins_;    // offsets into by_image_, one more than images

  // Annotations whose box is odd.
  struct OddBoxes {
    int64_t count = 0;
    std::string example;
    void add(const CocoAnnotation& annotation);
  };
  OddBoxes empty_, outside_, beyond_;  // without area; outside the image; partly outside
  OddBoxes of_shares_;                 // whose numbers are all between 0 and 1
  OddBoxes repeated_;                  // same image, category and box as an earlier one
  std::string file_;
};

}  // namespace fcm::loader
