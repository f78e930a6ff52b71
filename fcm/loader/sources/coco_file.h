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
  // Needs less memory than twice the file's size. Throws Error(kData) if the file is not JSON, is
  // not a COCO instances file, or has no images or categories. Unusable entries are skipped and
  // counted: images, categories and annotations that are incomplete or repeat an id; annotations of
  // unknown images or categories, without a polygon or mask, with non-finite or huge numbers, with
  // a box of negative size, or with masks that do not fit their image.
  explicit CocoFile(const std::filesystem::path& file);

  int64_t size() const { return std::ssize(order_); }
  const ImageRecord& record(int64_t index) const {
    return tables_.images[order_[static_cast<size_t>(index)]];
  }
  std::string_view image_name(int64_t index) const {
    return tables_.names.at(order_[static_cast<size_t>(index)]);
  }
  // The objects of the index-th image, in the order of the file.
  Instances instances(int64_t index) const;
  const InstanceClasses& classes() const { return classes_; }

  const LeftOut& left_out() const { return tables_.left_out; }
  // Facts and assumptions to report, one sentence each.
  std::vector<std::string> notes() const;
  // Probable mistakes in the file, one sentence each.
  std::vector<std::string> warnings() const;

 private:
  std::string after_left_out() const;  // end of a message: what was left out; "" if nothing
  void sort_images(const std::filesystem::path& file);
  void sort_categories(const std::filesystem::path& file);
  void sort_annotations();
  std::vector<bool> repeated_ids() const;  // per annotation, whether its id occurred before
  // The index of the annotation's image. If the annotation is unusable, counts it and returns -1.
  int64_t image_of(const CocoAnnotation& annotation);
  void look_for_repeated();
  void look_at_box(const CocoAnnotation& annotation, const ImageRecord& image);

  CocoTables tables_;
  std::vector<uint32_t> order_;  // images by id: indices into tables_
  InstanceClasses classes_;
  std::vector<uint32_t> by_image_;  // indices of annotations, grouped by image
  std::vector<uint32_t> begins_;    // offsets into by_image_, one more than images

  // Annotations with one kind of odd box.
  struct OddBoxes {
    int64_t count = 0;
    std::string example;
    void add(const CocoAnnotation& annotation);
  };
  OddBoxes empty_, outside_, beyond_;  // without area; outside the image; partly outside
  OddBoxes of_shares_;                 // coordinates between 0 and 1, probably shares of the sides
  OddBoxes repeated_;                  // same image, category and box as an earlier annotation
  std::string file_;
};

}  // namespace fcm::loader
