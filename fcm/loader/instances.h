// The objects of an image: ground truth for training and evaluating detectors.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "fcm/image/run_lengths.h"

namespace fcm::loader {

// One object, given by polygons or a mask. Coordinates are continuous, in pixels: pixel i covers
// [i, i + 1).
struct Instance {
  int64_t annotation = -1;      // id of the annotation in the data; -1: none
  int64_t class_number = -1;    // index into InstanceClasses
  std::array<double, 4> box{};  // x0, y0, x1, y1; rounded to fp32 in a training frame
  // The object's polygons: alternating x and y, three points or more. Empty if `mask` is set.
  std::vector<std::vector<double>> outlines;
  std::optional<image::RunLengths> mask;  // of the image's size
  double area = 0;     // in pixels of the image on disk, as recorded; COCO's size ranges use it
  bool crowd = false;  // several objects annotated as one: only for evaluation, never trained on

  bool operator==(const Instance&) const = default;
};

struct Instances {
  int64_t image = 0;           // id of the image in the data
  int64_t rows = 0, cols = 0;  // of the image, or of the training frame
  std::vector<Instance> instances;

  bool operator==(const Instances&) const = default;
};

// What a data set with instances knows about an image without decoding it.
struct ImageRecord {
  int64_t image = 0;           // id of the image in the data
  int64_t rows = 0, cols = 0;  // after applying the EXIF orientation
  int64_t objects = 0;         // without crowds; training needs at least one

  bool is_wide() const { return cols > rows; }
};

// The object classes 0 .. K - 1, in the order of the data's category ids.
struct InstanceClasses {
  std::vector<std::string> names;
  std::vector<int64_t> ids;      // ascending category ids, used in result files
  std::vector<int64_t> objects;  // of each class in this split, without crowds; empty: unknown

  int64_t class_of(int64_t id) const;  // -1: no such id
};

// The object's mask in an image of rows x cols. Throws Error(kData) if the instance has a mask of
// another size, or polygons that cannot be rasterised.
image::RunLengths mask_of(const Instance& instance, int64_t rows, int64_t cols);

// The mask head's target for the object within a box of the same image or frame: side x side bytes
// of 0 and 1, row-major (image/mask_target.h).
std::vector<uint8_t> mask_target_of(const Instance& instance, const std::array<float, 4>& box,
                                    int64_t side);

}  // namespace fcm::loader
