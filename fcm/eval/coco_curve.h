// Precision over recall, as COCO samples it (cocodataset/cocoapi, pycocotools/cocoeval.py,
// accumulate).
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "fcm/eval/coco_match.h"

namespace fcm::eval {

constexpr int64_t kCocoRecalls = 101;  // 0, .01, ... 1

// For one category and area range, by IoU threshold.
struct CocoCurve {
  std::array<std::array<double, kCocoRecalls>, kCocoThresholds> precision{};
  std::array<double, kCocoThresholds> recall{};  // the highest recall reached

  double average_precision(int64_t threshold) const;  // mean over recalls
  double average_precision() const;                   // mean over recalls and thresholds
  double average_recall() const;                      // mean over thresholds
};

struct RankedOutcome {
  const CocoOutcome* outcome = nullptr;
  int64_t rank = 0;  // within its image, from 0
};

// Outcomes of all images by descending score, ties in ascending order of image ids; only the first
// `most` of each image count. `truths`, at least 1: the number of truths in the range, crowds
// excluded. Precision at a recall is the highest at that recall or beyond, 0 if it is not reached.
CocoCurve coco_curve(std::span<const RankedOutcome> by_score, CocoArea range, int64_t truths,
                     int64_t most);

}  // namespace fcm::eval
