// Which detections of one picture and one category find a truth, as COCO decides (cocodataset/
// cocoapi, pycocotools/cocoeval.py, evaluateImg).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace fcm::eval {

constexpr int64_t kCocoThresholds = 10;       // of the overlap that makes a match: .5, .55, ... .95
constexpr int64_t kMostCocoDetections = 100;  // of a picture and category that count

// Ranges of areas in pixels; both ends belong to them, so that an area may be in two.
enum class CocoArea { kAll, kSmall, kMedium, kLarge };
constexpr int64_t kCocoAreas = 4;
bool is_in(CocoArea range, double area);

// The threshold of this number, with the bits that the published program has.
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

// What became of a detection, by range of areas: a bit for each threshold.
struct CocoOutcome {
  double score = 0;
  std::array<uint16_t, kCocoAreas> matched{};
  std::array<uint16_t, kCocoAreas> ignored{};  // neither right nor wrong
};

// x, y, width, height. As image::mask_ious: of the area of both, or of the detection with a crowd;
// 0 where they do not meet.
double box_iou(const std::array<double, 4>& detection, const std::array<double, 4>& truth,
               bool crowd);

// Detections by descending score; ious_DT are overlaps of each with all truths, row by row. By
// range and threshold: truths that are crowds or outside the range are ignored and come last; each
// detection in turn takes the one with the largest overlap of those that reach the threshold, the
// later of equals; a truth is taken once, a crowd as often as it fits, and once one that counts
// fits, those that are ignored are not looked at. Ignored are detections that take an ignored
// truth, and those that take none and lie outside the range themselves.
std::vector<CocoOutcome> match_detections(std::span<const ScoredArea> detections_D,
                                          std::span<const TruthArea> truths_T,
                                          std::span<const double> ious_DT);

}  // namespace fcm::eval
