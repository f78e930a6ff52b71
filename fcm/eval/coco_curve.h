// Precision over recall, as COCO samples it (cocodataset/cocoapi, pycocotools/cocoeval.py,
// accumulate).
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "fcm/eval/coco_match.h"

namespace fcm::eval {

constexpr int64_t kCocoRecalls = 101;  // 0, .01, ... 1

// Of one category and range of areas, by threshold of overlap.
struct CocoCurve {
  std::array<std::array<double, kCocoRecalls>, kCocoThresholds> precision{};
  std::array<double, kCocoThresholds> recall{};  // the highest that is reached

  double average_precision(int64_t threshold) const;  // mean over recalls
  double average_precision() const;                   // and over thresholds
  double average_recall() const;                      // mean over thresholds
};

struct RankedOutcome {
  const CocoOutcome* outcome = nullptr;
  int64_t rank = 0;  // within its picture, from 0 on
};

// Outcomes of all pictures by descending score, those of equal score in ascending order of
// pictures; of a picture the first `most` count. `truths`, 1 or more: those of the range that are
// no crowds. Precision at a recall is the highest at that recall or beyond, 0 where it is not
// reached.
CocoCurve coco_curve(std::span<const RankedOutcome> by_score, CocoArea range, int64_t truths,
                     int64_t most);

}  // namespace fcm::eval
