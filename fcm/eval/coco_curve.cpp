#include "fcm/eval/coco_curve.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

#include "fcm/base/error.h"

namespace fcm::eval {
namespace {

constexpr double recall_at(int64_t number) {
  return number == kCocoRecalls - 1 ? 1 : static_cast<double>(number) * .01;
}

template <size_t kCount>
double mean_of(const std::array<double, kCount>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(kCount);
}

// The precision just after each correct detection. Wrong detections only lower precision, so the
// highest precision at or above any recall is among these values.
std::vector<double> precisions_when_right(std::span<const RankedOutcome> by_score, size_t range,
                                          int64_t threshold, int64_t most) {
  std::vector<double> precisions;
  double wrong = 0;
  for (const RankedOutcome& one : by_score) {
    if (one.rank >= most || (one.outcome->ignored[range] >> threshold & 1) != 0) continue;
    if ((one.outcome->matched[range] >> threshold & 1) == 0) {
      ++wrong;
      continue;
    }
    const auto right = static_cast<double>(precisions.size() + 1);
    precisions.push_back(right / (wrong + right + std::numeric_limits<double>::epsilon()));
  }
  return precisions;
}

}  // namespace

double CocoCurve::average_precision(int64_t threshold) const {
  return mean_of(precision[static_cast<size_t>(threshold)]);
}

double CocoCurve::average_precision() const {
  double sum = 0;
  for (int64_t threshold = 0; threshold < kCocoThresholds; ++threshold) {
    sum += average_precision(threshold);
  }
  return sum / static_cast<double>(kCocoThresholds);
}

double CocoCurve::average_recall() const { return mean_of(recall); }

CocoCurve coco_curve(std::span<const RankedOutcome> by_score, CocoArea range, int64_t truths,
                     int64_t most) {
  require(truths >= 1, "coco_curve: expected at least 1 truth, got {}", truths);
  const auto all = static_cast<double>(truths);
  CocoCurve curve;
  for (int64_t threshold = 0; threshold < kCocoThresholds; ++threshold) {
    std::vector<double> highest =
        precisions_when_right(by_score, static_cast<size_t>(range), threshold, most);
    const size_t right = highest.size();
    for (size_t i = right; i > 1; --i) highest[i - 2] = std::max(highest[i - 2], highest[i - 1]);
    curve.recall[static_cast<size_t>(threshold)] = static_cast<double>(right) / all;
    size_t first = 0;  // the correct detection at which the recall is reached
    for (int64_t number = 0; number < kCocoRecalls; ++number) {
      while (first < right && static_cast<double>(first + 1) / all < recall_at(number)) ++first;
      if (first == right) break;
      curve.precision[static_cast<size_t>(threshold)][static_cast<size_t>(number)] = highest[first];
    }
  }
  return curve;
}

}  // namespace fcm::eval
