// COCO's average precision and recall of detections, by boxes or by masks: the twelve figures of
// pycocotools (cocodataset/cocoapi, 2.0.11), to 1e-9.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "fcm/eval/coco_curve.h"
#include "fcm/eval/coco_match.h"
#include "fcm/image/run_lengths.h"

namespace fcm::dist {
class Group;
}

namespace fcm::eval {

struct CocoDetection {
  std::array<double, 4> box{};  // x, y, width, height in pixels of the image
  double score = 0;
  int64_t category = 0;  // from 0, in the order of the data set's ids
  std::optional<image::RunLengths> mask;
};

struct CocoTruth {
  std::array<double, 4> box{};
  int64_t category = 0;
  bool crowd = false;  // a region of several objects; it counts neither as found nor as missed
  double area = 0;     // the annotation's own value, which decides its size range
  std::optional<image::RunLengths> mask;
};

// Whether the overlaps and the areas of detections are computed from boxes or from masks.
enum class CocoShape { kBox, kMask };

// Fractions from 0 to 1; NaN if there is no truth in the area range, 0 if no truth is found.
struct CocoFigures {
  static constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  // Average precision: the mean over recalls, IoU thresholds and categories (ap); at one threshold,
  // .5 or .75 (ap50, ap75); over thresholds for objects of one size (ap_small, ...).
  double ap = kNone, ap50 = kNone, ap75 = kNone;
  double ap_small = kNone, ap_medium = kNone, ap_large = kNone;
  // Average recall with at most 1, 10 or 100 detections per image and category; for objects of one
  // size with at most 100.
  double ar1 = kNone, ar10 = kNone, ar100 = kNone;
  double ar_small = kNone, ar_medium = kNone, ar_large = kNone;
};

// The usual names of the figures: "AP", "AP50", "APs" ... "ARl".
struct CocoFigureName {
  const char* name;
  double CocoFigures::*figure;
};
extern const std::array<CocoFigureName, 12> kCocoFigureNames;

nlohmann::json coco_percents(const CocoFigures& figures);  // by name; null for NaN

struct CocoResult {
  CocoFigures figures;
  std::array<double, kCocoThresholds> ap_at{};  // by threshold
  std::vector<CocoFigures> categories;
  int64_t images = 0;
  int64_t detections = 0;
};

// Takes images one by one. Per detection it stores a score and match bits (24 bytes), but no mask
// and no box. Figures do not depend on the order in which images were added. Not thread-safe: use
// one evaluation per thread, then merge.
class CocoEvaluation {
 public:
  CocoEvaluation(int64_t categories, CocoShape shape);

  // Adds one image; `image` is its id in the data set. Add images without detections as well. Of
  // detections with equal scores, the earlier one ranks first. Throws Error(kData), and changes
  // nothing, for a non-finite value, a negative side or area, and a mask that is missing or differs
  // in size from the others. Adding an image twice, or an unknown category, is a programming error.
  void add(int64_t image, std::span<const CocoDetection> detections,
           std::span<const CocoTruth> truths);

  // Adds the images of another evaluation with the same shape and categories, on other images.
  void merge(const CocoEvaluation& other);
  void add_other_ranks(dist::Group& group);  // adds the images of all other ranks

  CocoResult result() const;

  // The curve from the first `most` detections per image; nullopt if the category has no truth in
  // the area range. Public, so that tests can compare curves with pycocotools.
  std::optional<CocoCurve> curve(int64_t category, CocoArea range, int64_t most) const;

 private:
  struct ImageRange {
    int64_t image = 0;
    int64_t outcomes = 0;
  };
  struct OfCategory {
    std::array<int64_t, kCocoAreas> truths{};  // per area range, without crowds
    std::vector<ImageRange> images;            // in the order in which they were added
    std::vector<CocoOutcome> outcomes;         // image by image, each by descending score
  };
  // One image's contribution to a category.
  struct Addition {
    int64_t category = 0;
    std::array<int64_t, kCocoAreas> truths{};
    std::vector<CocoOutcome> outcomes;
  };

  void check(std::span<const CocoDetection> detections, std::span<const CocoTruth> truths) const;
  Addition addition_of(int64_t category, std::span<const CocoDetection* const> by_score,
                       std::span<const CocoTruth* const> truths) const;
  std::vector<Addition> additions_of(std::span<const CocoDetection> detections,
                                     std::span<const CocoTruth> truths) const;
  std::vector<RankedOutcome> by_score(const OfCategory& category) const;
  CocoFigures figures_of(const OfCategory& category,
                         std::array<double, kCocoThresholds>& ap_at) const;
  std::string state() const;
  static CocoEvaluation from_state(std::string_view bytes);

  CocoShape shape_;
  std::vector<OfCategory> categories_;
  std::unordered_set<int64_t> images_;
  int64_t detections_ = 0;
};

}  // namespace fcm::eval
