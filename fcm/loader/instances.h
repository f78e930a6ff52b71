// The objects of a picture: what detection learns and is measured by.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "fcm/image/run_lengths.h"

namespace fcm::loader {

// One object, of which the data give outlines or a mask. Places are in pixels, continuous: pixel i
// covers [i, i + 1).
struct Instance {
  int64_t annotation = -1;      // its id in the data; -1: it has none
  int64_t class_number = -1;    // InstanceClasses has its name and the data's id
  std::array<double, 4> box{};  // x0, y0, x1, y1; in a training frame each is an fp32 number
  // The parts of its outline, x and y of each point in turn, three points or more. Empty where
  // `mask` is set.
  std::vector<std::vector<double>> outlines;
  std::optional<image::RunLengths> mask;  // of the size of the picture
  double area = 0;     // as the data say it, of the picture as it is on disk; what COCO counts by
  bool crowd = false;  // many objects that are not told apart: never learnt, but measured with

  bool operator==(const Instance&) const = default;
};

struct Instances {
  int64_t picture = 0;         // its id in the data
  int64_t rows = 0, cols = 0;  // of the picture; in a training frame: of the frame
  std::vector<Instance> instances;

  bool operator==(const Instances&) const = default;
};

// What a set of instances knows of a picture without reading it.
struct PictureRecord {
  int64_t picture = 0;         // its id in the data
  int64_t rows = 0, cols = 0;  // after EXIF's orientation
  int64_t objects = 0;         // that are no crowds: training needs one

  bool is_wide() const { return cols > rows; }
};

// The classes of instances, 0 .. K - 1, in the order of the data's ids.
struct InstanceClasses {
  std::vector<std::string> names;
  std::vector<int64_t> ids;  // ascending; results are written with them

  int64_t class_of(int64_t id) const;  // -1: there is none
};

// The object's pixels in a picture of rows x cols, which a mask must have. Throws Error(kData).
image::RunLengths mask_of(const Instance& instance, int64_t rows, int64_t cols);

// What the mask head learns of the object within a box of the same picture or frame: side x side
// bytes of 0 and 1, row by row (image/mask_target.h, of outlines or of the mask).
std::vector<uint8_t> mask_target_of(const Instance& instance, const std::array<float, 4>& box,
                                    int64_t side);

}  // namespace fcm::loader
