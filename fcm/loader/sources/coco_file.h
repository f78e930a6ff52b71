// A file of COCO's instances: pictures in the order of their ids, each with its objects.
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
  // Takes less than twice the file's size of memory. Throws Error(kData) where the file is no JSON,
  // none of COCO's instances, or has no picture or no category. What in it cannot be used is left
  // out and counted: pictures and annotations without what they need, of ids that came before;
  // annotations of no picture or category, without an outline, with numbers that are not finite or
  // masks that do not fit their picture.
  explicit CocoFile(const std::filesystem::path& file);

  int64_t size() const { return std::ssize(order_); }
  const PictureRecord& record(int64_t index) const {
    return tables_.pictures[order_[static_cast<size_t>(index)]];
  }
  std::string_view picture_name(int64_t index) const {
    return tables_.names.at(order_[static_cast<size_t>(index)]);
  }
  // Annotations in the order of the file.
  Instances instances(int64_t index) const;
  const InstanceClasses& classes() const { return classes_; }

  const LeftOut& left_out() const { return tables_.left_out; }
  // What was taken for granted, a sentence each.
  std::vector<std::string> notes() const;

 private:
  void sort_pictures(const std::filesystem::path& file);
  void sort_categories(const std::filesystem::path& file);
  void sort_annotations();
  std::vector<bool> repeated_ids() const;  // of annotations
  // The place of the annotation's picture, or -1, in which case it was counted as left out.
  int64_t picture_of(const CocoAnnotation& annotation);

  CocoTables tables_;
  std::vector<uint32_t> order_;  // of pictures: places in tables_
  InstanceClasses classes_;
  std::vector<uint32_t> by_picture_;  // places of annotations, picture by picture
  std::vector<uint32_t> begins_;      // in by_picture_, one more than pictures
};

}  // namespace fcm::loader
