// Matches the detections of one image and one category with truths by COCO's rules
// (cocodataset/cocoapi, pycocotools/cocoeval.py, evaluateImg).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace fcm::eval {

constexpr int64_t kCocoThresholds = 10;       // IoU thresholds .5, .55, ... .95
constexpr int64_t kMostCocoDetections = 100;  // counted per image and category

// Area ranges in pixels; both ends are included, so an area may be in two ranges.
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
  std::array<uint16_t, kCocoAreas> ignored{};  // neither correct nor wrong
};

// IoU of boxes x, y, width, height; with a crowd the intersection over the detection's area, as
// image::mask_ious. 0 if they do not intersect.
double box_iou(const std::array<double, 4>& detection, const std::array<double, 4>& truth,
               bool crowd);

// Detections by descending score; ious_DT are the overlaps of each detection with all truths, row
// by row. Rules for each range and threshold: truths that are crowds or outside the range are
// ignored and come last. Each detection in turn takes the truth with the largest overlap that
// reaches the threshold, the later one of ties. A truth is taken once, a crowd any number of times.
// If a truth that counts matches, ignored ones are not considered. A detection is ignored if it
// takes an ignored truth, or if it takes none and is outside the range itself.
std::vector<CocoOutcome> match_detections(std::span<const ScoredArea> detections_D,
                                          std::span<const TruthArea> truths_T,
                                          std::span<const double> ious_DT);

}  // namespace fcm::eval
