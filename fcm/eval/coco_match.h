// Matches the detections of one image and one category with truths by COCO's rules
// (cocodataset/cocoapi, pycocotools/cocoeval.py, evaluateImg).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace fcm::eval {

constexpr int64_t kCocoThresholds = 10;       // IoU thresholds .5, .55, ... .95
constexpr int64_t kMostCocoDetections = 100;  // detections that count per image and category

// Area ranges in pixels. Both ends belong to a range, so an area may be in two ranges.
enum class CocoArea { kAll, kSmall, kMedium, kLarge };
constexpr int64_t kCocoAreas = 4;
bool is_in(CocoArea range, double area);

// IoU threshold number `number`, bit for bit as in pycocotools.
constexpr double coco_threshold(int64_t number) {
  constexpr double kStep = (.95 - .5) / static_cast<double>(kCocoThresholds - 1);
  return number == kCocoThresholds - 1 ? .95 : static_cast<double>(number) * kStep + .5;
}

struct ScoredArea {  // a detection
  double score = 0, area = 0;
};
struct TruthArea {
  double area = 0;
  bool crowd = false;
};

// The matching result of a detection: per area range, one bit per threshold.
struct CocoOutcome {
  double score = 0;
  std::array<uint16_t, kCocoAreas> matched{};
  std::array<uint16_t, kCocoAreas> ignored{};  // counts neither as correct nor as wrong
};

// IoU of boxes (x, y, width, height). If the truth is a crowd: the intersection over the
// detection's area, as in image::mask_ious. 0 if the boxes do not intersect.
double box_iou(const std::array<double, 4>& detection, const std::array<double, 4>& truth,
               bool crowd);

// detections_D: by descending score. ious_DT: the overlaps of each detection with all truths. For
// each range and threshold, these rules hold:
// - Truths that are crowds or outside the range are ignored and come after all others.
// - Each detection in turn takes the truth with the largest overlap that reaches the threshold; of
//   equal overlaps, the later truth. If it can take a truth that counts, it takes no ignored one.
// - A truth is taken at most once, a crowd any number of times.
// - A detection is ignored if it takes an ignored truth, or if it takes none and its own area is
//   outside the range.
std::vector<CocoOutcome> match_detections(std::span<const ScoredArea> detections_D,
                                          std::span<const TruthArea> truths_T,
                                          std::span<const double> ious_DT);

}  // namespace fcm::eval
