// How well maps of classes agree with labelled maps: intersection over union, as mmsegmentation
// counts (mmseg/core/evaluation/metrics.py).
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "fcm/dist/group.h"

namespace fcm::eval {

// What a class is told by, in pixels that carry a label.
struct ClassOverlap {
  int64_t intersection = 0;  // predicted and labelled as this class
  int64_t predicted = 0;
  int64_t labelled = 0;

  int64_t in_union() const { return predicted + labelled - intersection; }
  double iou() const;       // percent; NaN where nothing is in the union
  double accuracy() const;  // percent of the labelled pixels; NaN where there are none
};

// Means over classes leave out those whose figure is NaN, so a class that is predicted and labelled
// nowhere counts 0 in `miou` and is left out of `macc`. NaN where no class is left.
struct MeanIou {
  double miou = 0;  // percent, as the next two
  double macc = 0;
  double aacc = 0;     // of all labelled pixels
  int64_t pixels = 0;  // labelled
  int64_t pictures = 0;
  std::vector<ClassOverlap> classes;
};

// Exact counts of a set of pictures: figures are taken of all pixels of the set together, which is
// another thing than the mean of figures of pictures.
class ClassCounts {
 public:
  static constexpr uint8_t kIgnored = 255;  // the label of pixels that do not count

  explicit ClassCounts(int64_t classes);  // 1 to 255

  // One picture. Of every pixel: the class it was taken for, below `classes`, and its label, below
  // `classes` or kIgnored. Another number is a programming error (std::logic_error).
  void add(std::span<const uint8_t> predicted, std::span<const uint8_t> labels);
  void add_other_ranks(dist::Group& group);  // what each of them counted
  MeanIou result() const;

 private:
  void count_run(uint8_t predicted, uint8_t label, int64_t pixels);

  int64_t classes_;
  int64_t pictures_ = 0;
  std::vector<int64_t> pairs_;  // [label, prediction]
};

// One line a class, in their order: {"class", "iou", "accuracy", "pixels"}; percent, null where
// there is no figure; pixels are the labelled ones.
nlohmann::json class_lines(const MeanIou& measured, const std::vector<std::string>& names);

}  // namespace fcm::eval
