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
  std::array<double, 4> box{};  // x, y, width, height in pixels of the picture
  double score = 0;
  int64_t category = 0;  // from 0 on, in the order of the data set's ids
  std::optional<image::RunLengths> mask;
};

struct CocoTruth {
  std::array<double, 4> box{};
  int64_t category = 0;
  bool crowd = false;  // a region with objects that nobody told apart: neither found nor missed
  double area = 0;     // the annotation's own figure, by which its size is judged
  std::optional<image::RunLengths> mask;
};

// What overlaps are of. The size of a detection is its box's or its mask's accordingly.
enum class CocoShape { kBox, kMask };

// Shares, 0 to 1; NaN where there is no truth of the kind. Nothing found is 0.
struct CocoFigures {
  static constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  // Average precision: mean over recalls, thresholds and categories; at IoU .5 and .75 alone; of
  // objects by size.
  double ap = kNone, ap50 = kNone, ap75 = kNone;
  double ap_small = kNone, ap_medium = kNone, ap_large = kNone;
  // Average recall with so many detections of a picture and category; of objects by size with 100.
  double ar1 = kNone, ar10 = kNone, ar100 = kNone;
  double ar_small = kNone, ar_medium = kNone, ar_large = kNone;
};

// Names as they are used in the field: "AP", "AP50", "APs" ... "ARl".
struct CocoFigureName {
  const char* name;
  double CocoFigures::*figure;
};
extern const std::array<CocoFigureName, 12> kCocoFigureNames;

nlohmann::json coco_percents(const CocoFigures& figures);  // by name; null where there is none

struct CocoResult {
  CocoFigures figures;
  std::array<double, kCocoThresholds> ap_at{};  // by threshold
  std::vector<CocoFigures> categories;
  int64_t pictures = 0;
  int64_t detections = 0;
};

// Takes pictures one by one, in any order, and keeps of a detection its score and what became of it
// (24 bytes): neither masks nor boxes. Figures depend on what was added alone. For one thread at a
// time; several have one each, and merge.
class CocoEvaluation {
 public:
  CocoEvaluation(int64_t categories, CocoShape shape);

  // One picture, by the data set's id; without detections, too. Of equal scores the earlier counts
  // first. Error(kData), which leaves everything as it was, where a number is not finite, a side or
  // an area negative, a mask missing or of another size than the others. A picture that was there
  // before, or a category that does not exist, is a programming error.
  void add(int64_t picture, std::span<const CocoDetection> detections,
           std::span<const CocoTruth> truths);

  // What another one of the same kind was given, who saw other pictures.
  void merge(const CocoEvaluation& other);
  void add_other_ranks(dist::Group& group);  // what each of them saw

  CocoResult result() const;

  // With the first `most` detections of a picture; nullopt where the category has no truth of that
  // size. Public for comparisons.
  std::optional<CocoCurve> curve(int64_t category, CocoArea range, int64_t most) const;

 private:
  struct PictureRange {
    int64_t picture = 0;
    int64_t outcomes = 0;
  };
  struct OfCategory {
    std::array<int64_t, kCocoAreas> truths{};  // that count, by range of areas
    std::vector<PictureRange> pictures;        // in the order in which they were added, as
    std::vector<CocoOutcome> outcomes;         // those of each, by descending score
  };
  // What one picture adds to a category.
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
  std::unordered_set<int64_t> pictures_;
  int64_t detections_ = 0;
};

}  // namespace fcm::eval
