// Computes COCO's figures from the outcomes of all images.
#include <algorithm>
#include <cmath>

#include "fcm/base/error.h"
#include "fcm/eval/coco.h"

namespace fcm::eval {
namespace {

// The mean over the categories that have a figure (not NaN).
class MeanOfCategories {
 public:
  void add(double value) {
    if (std::isnan(value)) return;
    sum_ += value;
    ++count_;
  }
  double mean() const { return count_ == 0 ? CocoFigures::kNone : sum_ / count_; }

 private:
  double sum_ = 0, count_ = 0;
};

}  // namespace

const std::array<CocoFigureName, 12> kCocoFigureNames{{{"AP", &CocoFigures::ap},
                                                       {"AP50", &CocoFigures::ap50},
                                                       {"AP75", &CocoFigures::ap75},
                                                       {"APs", &CocoFigures::ap_small},
                                                       {"APm", &CocoFigures::ap_medium},
                                                       {"APl", &CocoFigures::ap_large},
                                                       {"AR1", &CocoFigures::ar1},
                                                       {"AR10", &CocoFigures::ar10},
                                                       {"AR100", &CocoFigures::ar100},
                                                       {"ARs", &CocoFigures::ar_small},
                                                       {"ARm", &CocoFigures::ar_medium},
                                                       {"ARl", &CocoFigures::ar_large}}};

nlohmann::json coco_percents(const CocoFigures& figures) {
  nlohmann::json percents;
  for (const auto& [name, figure] : kCocoFigureNames) {
    const double share = figures.*figure;
    percents[name] = std::isnan(share) ? nlohmann::json() : nlohmann::json(100 * share);
  }
  return percents;
}

// Sorts stably by descending score, starting from images in ascending order of ids, so the result
// does not depend on the order in which images were added.
std::vector<RankedOutcome> CocoEvaluation::by_score(const OfCategory& category) const {
  struct Place {
    ImageRange range;
    const CocoOutcome* first;
  };
  std::vector<Place> places;
  const CocoOutcome* next = category.outcomes.data();
  for (const ImageRange& range : category.images) {
    places.push_back({range, next});
    next += range.outcomes;
  }
  std::ranges::sort(places, {}, [](const Place& place) { return place.range.image; });
  std::vector<RankedOutcome> ranked;
  ranked.reserve(category.outcomes.size());
  for (const Place& place : places) {
    for (int64_t rank = 0; rank < place.range.outcomes; ++rank) {
      ranked.push_back({place.first + rank, rank});
    }
  }
  std::ranges::stable_sort(ranked, std::greater{},
                           [](const RankedOutcome& one) { return one.outcome->score; });
  return ranked;
}

std::optional<CocoCurve> CocoEvaluation::curve(int64_t category, CocoArea range,
                                               int64_t most) const {
  require(category >= 0 && category < std::ssize(categories_), "got category {}, expected 0 to {}",
          category, categories_.size() - 1);
  const OfCategory& own = categories_[static_cast<size_t>(category)];
  const int64_t truths = own.truths[static_cast<size_t>(range)];
  if (truths == 0) return std::nullopt;
  return coco_curve(by_score(own), range, truths, most);
}

CocoFigures CocoEvaluation::figures_of(const OfCategory& category,
                                       std::array<double, kCocoThresholds>& ap_at) const {
  const std::vector<RankedOutcome> ranked = by_score(category);
  const auto truths_of = [&](CocoArea range) {
    return category.truths[static_cast<size_t>(range)];
  };
  CocoFigures figures;
  ap_at.fill(CocoFigures::kNone);
  if (const int64_t truths = truths_of(CocoArea::kAll); truths > 0) {
    const CocoCurve all = coco_curve(ranked, CocoArea::kAll, truths, kMostCocoDetections);
    for (int64_t threshold = 0; threshold < kCocoThresholds; ++threshold) {
      ap_at[static_cast<size_t>(threshold)] = all.average_precision(threshold);
    }
    figures.ap = all.average_precision();
    figures.ap50 = ap_at[0];
    figures.ap75 = ap_at[5];
    figures.ar1 = coco_curve(ranked, CocoArea::kAll, truths, 1).average_recall();
    figures.ar10 = coco_curve(ranked, CocoArea::kAll, truths, 10).average_recall();
    figures.ar100 = all.average_recall();
  }
  struct OfSize {
    CocoArea range;
    double CocoFigures::*precision;
    double CocoFigures::*recall;
  };
  for (const auto& [range, precision, recall] :
       {OfSize{CocoArea::kSmall, &CocoFigures::ap_small, &CocoFigures::ar_small},
        OfSize{CocoArea::kMedium, &CocoFigures::ap_medium, &CocoFigures::ar_medium},
        OfSize{CocoArea::kLarge, &CocoFigures::ap_large, &CocoFigures::ar_large}}) {
    if (truths_of(range) == 0) continue;
    const CocoCurve curve = coco_curve(ranked, range, truths_of(range), kMostCocoDetections);
    figures.*precision = curve.average_precision();
    figures.*recall = curve.average_recall();
  }
  return figures;
}

CocoResult CocoEvaluation::result() const {
  CocoResult result;
  result.images = static_cast<int64_t>(images_.size());
  result.detections = detections_;
  result.ap_at.fill(CocoFigures::kNone);
  result.categories.resize(categories_.size());
  std::array<MeanOfCategories, kCocoThresholds> ap_at;
  std::array<MeanOfCategories, std::tuple_size_v<decltype(kCocoFigureNames)>> means;
  for (size_t category = 0; category < categories_.size(); ++category) {
    std::array<double, kCocoThresholds> own_ap_at{};
    CocoFigures& own = result.categories[category];
    own = figures_of(categories_[category], own_ap_at);
    for (size_t i = 0; i < means.size(); ++i) means[i].add(own.*kCocoFigureNames[i].figure);
    for (size_t i = 0; i < ap_at.size(); ++i) ap_at[i].add(own_ap_at[i]);
  }
  for (size_t i = 0; i < means.size(); ++i) {
    result.figures.*kCocoFigureNames[i].figure = means[i].mean();
  }
  for (size_t i = 0; i < ap_at.size(); ++i) result.ap_at[i] = ap_at[i].mean();
  return result;
}

}  // namespace fcm::eval
