// The precision-recall curve, sampled at 101 recalls as in COCO (cocodataset/cocoapi,
// pycocotools/cocoeval.py, accumulate).
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "fcm/eval/coco_match.h"

namespace fcm::eval {

constexpr int64_t kCocoRecalls = 101;  // 0, .01, ... 1

// The curves of one category and area range, one per IoU threshold.
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

// by_score: the outcomes of all images by descending score, ties in ascending order of image ids;
// only the first `most` of each image count. truths: the number of truths in the range without
// crowds, at least 1. The precision at a recall is the highest precision at that or a higher
// recall, and 0 if the recall is not reached.
CocoCurve coco_curve(std::span<const RankedOutcome> by_score, CocoArea range, int64_t truths,
                     int64_t most);

}  // namespace fcm::eval
