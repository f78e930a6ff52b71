#include "fcm/eval/coco_match.h"

#include <algorithm>

#include "fcm/base/error.h"

namespace fcm::eval {
namespace {

// A truth whose overlap with a detection reaches the lowest threshold.
struct Candidate {
  size_t truth;
  double iou;
};

// The truths of an image for one area range, and which of them are taken at each threshold.
class RangeOfTruths {
 public:
  RangeOfTruths(CocoArea range, std::span<const TruthArea> truths_T)
      : truths_T_(truths_T), ignored_T_(truths_T.size()), taken_T_(truths_T.size()) {
    for (size_t t = 0; t < truths_T.size(); ++t) {
      ignored_T_[t] = truths_T[t].crowd || !is_in(range, truths_T[t].area);
    }
  }

  bool is_ignored(size_t truth) const { return ignored_T_[truth] != 0; }

  // Candidates in the order of truths, ignored ones last.
  void order(std::vector<Candidate>& candidates) const {
    std::stable_partition(candidates.begin(), candidates.end(),
                          [&](const Candidate& one) { return !is_ignored(one.truth); });
  }

  // Takes a truth for a detection at a threshold; nullptr if no candidate fits.
  const Candidate* take(std::span<const Candidate> ordered, int64_t threshold) {
    const auto bit = static_cast<uint16_t>(1U << threshold);
    const Candidate* best = nullptr;
    double least = coco_threshold(threshold);
    for (const Candidate& one : ordered) {
      if ((taken_T_[one.truth] & bit) != 0 && !truths_T_[one.truth].crowd) continue;
      if (best != nullptr && !is_ignored(best->truth) && is_ignored(one.truth)) break;
      if (one.iou < least) continue;
      least = one.iou;
      best = &one;
    }
    if (best != nullptr) taken_T_[best->truth] |= bit;
    return best;
  }

 private:
  std::span<const TruthArea> truths_T_;
  std::vector<uint8_t> ignored_T_;
  std::vector<uint16_t> taken_T_;  // one bit per threshold
};

constexpr uint16_t kAllThresholds = (1U << kCocoThresholds) - 1;

void match_one(std::vector<Candidate>& candidates, size_t range, RangeOfTruths& truths,
               CocoOutcome& outcome) {
  truths.order(candidates);
  for (int64_t threshold = 0; threshold < kCocoThresholds; ++threshold) {
    const auto bit = static_cast<uint16_t>(1U << threshold);
    const Candidate* found = truths.take(candidates, threshold);
    if (found == nullptr) continue;
    outcome.matched[range] |= bit;
    if (truths.is_ignored(found->truth)) outcome.ignored[range] |= bit;
  }
}

}  // namespace

bool is_in(CocoArea range, double area) {
  constexpr double kSmallest = 32 * 32, kMiddle = 96 * 96, kLargest = 1e5 * 1e5;
  switch (range) {
    case CocoArea::kAll:
      return area >= 0 && area <= kLargest;
    case CocoArea::kSmall:
      return area >= 0 && area <= kSmallest;
    case CocoArea::kMedium:
      return area >= kSmallest && area <= kMiddle;
    case CocoArea::kLarge:
      break;
  }
  return area >= kMiddle && area <= kLargest;
}

double box_iou(const std::array<double, 4>& one, const std::array<double, 4>& truth, bool crowd) {
  const double width = std::min(one[2] + one[0], truth[2] + truth[0]) - std::max(one[0], truth[0]);
  const double height = std::min(one[3] + one[1], truth[3] + truth[1]) - std::max(one[1], truth[1]);
  if (width <= 0 || height <= 0) return 0;
  const double shared = width * height, own = one[2] * one[3];
  return shared / (crowd ? own : own + truth[2] * truth[3] - shared);
}

std::vector<CocoOutcome> match_detections(std::span<const ScoredArea> detections_D,
                                          std::span<const TruthArea> truths_T,
                                          std::span<const double> ious_DT) {
  require(ious_DT.size() == detections_D.size() * truths_T.size(),
          "match_detections: expected one overlap per pair, got {} detections, {} truths and {} "
          "overlaps",
          detections_D.size(), truths_T.size(), ious_DT.size());
  std::vector<RangeOfTruths> ranges;
  if (!truths_T.empty()) {
    for (int64_t range = 0; range < kCocoAreas; ++range) {
      ranges.emplace_back(static_cast<CocoArea>(range), truths_T);
    }
  }
  std::vector<CocoOutcome> outcomes(detections_D.size());
  std::vector<Candidate> candidates;
  for (size_t d = 0; d < detections_D.size(); ++d) {
    CocoOutcome& outcome = outcomes[d];
    outcome.score = detections_D[d].score;
    const std::span<const double> ious_T = ious_DT.subspan(d * truths_T.size(), truths_T.size());
    for (size_t range = 0; range < ranges.size(); ++range) {
      candidates.clear();  // rebuilt: each range orders them differently
      for (size_t t = 0; t < ious_T.size(); ++t) {
        if (ious_T[t] >= coco_threshold(0)) candidates.push_back({t, ious_T[t]});
      }
      if (candidates.empty()) break;
      match_one(candidates, range, ranges[range], outcome);
    }
    for (size_t range = 0; range < outcome.ignored.size(); ++range) {
      if (is_in(static_cast<CocoArea>(range), detections_D[d].area)) continue;
      outcome.ignored[range] |= kAllThresholds & ~outcome.matched[range];
    }
  }
  return outcomes;
}

}  // namespace fcm::eval
