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

// Means over classes skip NaN, and are NaN if all classes are skipped. A class that is predicted
// but never labelled therefore counts with IoU 0 in `miou` and is skipped in `macc`. A class that
// is neither predicted nor labelled is skipped in both.
struct MeanIou {
  double miou = 0;  // percent, like the next two
  double macc = 0;
  double aacc = 0;     // accuracy over all labelled pixels
  int64_t pixels = 0;  // number of labelled pixels
  int64_t images = 0;
  std::vector<ClassOverlap> classes;
};

// Exact pixel counts over a set of images. Figures are computed from the pixels of all images
// together, and differ from means over images.
class ClassCounts {
 public:
  static constexpr uint8_t kIgnored = 255;  // label of pixels that are not counted

  explicit ClassCounts(int64_t classes);  // 1 to 255

  // Adds one image. predicted: the class of each pixel, below `classes`; labels: the label of each
  // pixel, below `classes` or kIgnored. Other values are a programming error (std::logic_error).
  void add(std::span<const uint8_t> predicted, std::span<const uint8_t> labels);
  void add_other_ranks(dist::Group& group);  // adds the counts of the other ranks
  MeanIou result() const;

 private:
  void count_run(uint8_t predicted, uint8_t label, int64_t pixels);

  int64_t classes_;
  int64_t images_ = 0;
  std::vector<int64_t> pairs_;  // pixel counts [classes, classes] by label, then prediction
};

// One JSON object per class, in class order: {"class", "iou", "accuracy", "pixels"}. "iou" and
// "accuracy" in percent, null for NaN; "pixels": the number of labelled pixels.
nlohmann::json class_lines(const MeanIou& measured, const std::vector<std::string>& names);

}  // namespace fcm::eval
