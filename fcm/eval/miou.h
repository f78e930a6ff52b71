// Agreement of predicted class maps with labelled ones: intersection over union, counted as
// mmsegmentation does (mmseg/core/evaluation/metrics.py).
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "fcm/dist/group.h"

namespace fcm::eval {

// Pixel counts of one class, among labelled pixels.
struct ClassOverlap {
  int64_t intersection = 0;  // predicted and labelled as this class
  int64_t predicted = 0;
  int64_t labelled = 0;

  int64_t in_union() const { return predicted + labelled - intersection; }
  double iou() const;       // percent; NaN if the union is empty
  double accuracy() const;  // percent of the labelled pixels; NaN if there are none
};

// Means over classes skip NaN. A class that is predicted but never labelled therefore has IoU 0 in
// `miou` and is skipped in `macc`; a class that is neither is skipped in both. NaN if no class is
// left.
struct MeanIou {
  double miou = 0;  // percent, like the next two
  double macc = 0;
  double aacc = 0;     // accuracy over all labelled pixels
  int64_t pixels = 0;  // labelled
  int64_t images = 0;
  std::vector<ClassOverlap> classes;
};

// Exact pixel counts over a set of images. Figures are computed from all pixels of the set
// together, which differs from the mean of figures per image.
class ClassCounts {
 public:
  static constexpr uint8_t kIgnored = 255;  // label of pixels that are not counted

  explicit ClassCounts(int64_t classes);  // 1 to 255

  // Adds one image. For every pixel: its predicted class, below `classes`, and its label, below
  // `classes` or kIgnored. Other values are a programming error (std::logic_error).
  void add(std::span<const uint8_t> predicted, std::span<const uint8_t> labels);
  void add_other_ranks(dist::Group& group);  // adds the counts of the other ranks
  MeanIou result() const;

 private:
  void count_run(uint8_t predicted, uint8_t label, int64_t pixels);

  int64_t classes_;
  int64_t images_ = 0;
  std::vector<int64_t> pairs_;  // [label, prediction]
};

// One line per class, in class order: {"class", "iou", "accuracy", "pixels"}; percent, null for
// NaN; pixels are the labelled ones.
nlohmann::json class_lines(const MeanIou& measured, const std::vector<std::string>& names);

}  // namespace fcm::eval
