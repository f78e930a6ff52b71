#include "fcm/boxes/matcher.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <mutex>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/boxes/overlap.h"

namespace fcm::boxes {
namespace {

Match without_truths(int64_t boxes, at::Device device) {
  const auto on = at::TensorOptions(device);
  return {at::zeros({boxes}, on.dtype(at::kLong)), at::zeros({boxes}, on.dtype(at::kChar))};
}

template <class Number>
struct Box {
  Number x0, y0, x1, y1;
  Number area() const { return (x1 - x0) * (y1 - y0); }
};

// The same arithmetic as overlaps(), so that both find the same ties.
template <class Number>
Number overlap_of(const Box<Number>& a, Number area_a, const Box<Number>& b, Number area_b) {
  const Number width = std::max(std::min(a.x1, b.x1) - std::max(a.x0, b.x0), Number(0));
  const Number height = std::max(std::min(a.y1, b.y1) - std::max(a.y0, b.y0), Number(0));
  const Number shared = width * height;
  return shared > 0 ? shared / (area_a + area_b - shared) : Number(0);
}

// Computes the overlaps in each pass and stores none.
template <class Number>
class Matching {
 public:
  Matching(const at::Tensor& truths_T4, const at::Tensor& boxes_N4, const MatchOptions& options)
      : options_(options),
        truths_(boxes_of(truths_T4)),
        boxes_(boxes_of(boxes_N4)),
        count_(boxes_N4.size(0)),
        best_of_truth_(static_cast<size_t>(truths_T4.size(0)), Number(0)) {
    for (size_t t = 0; t < best_of_truth_.size(); ++t) truth_areas_.push_back(truths_[t].area());
  }

  Match operator()() {
    Match match{at::empty({count_}, at::kLong), at::empty({count_}, at::kChar)};
    auto* truth = match.truth_N.mutable_data_ptr<int64_t>();
    auto* label = match.label_N.mutable_data_ptr<int8_t>();
    in_parallel([&](int64_t begin, int64_t end) { first_pass(begin, end, truth, label); });
    if (options_.low_quality) {
      in_parallel([&](int64_t begin, int64_t end) { second_pass(begin, end, label); });
    }
    return match;
  }

 private:
  static const Box<Number>* boxes_of(const at::Tensor& boxes_N4) {
    return reinterpret_cast<const Box<Number>*>(boxes_N4.const_data_ptr<Number>());
  }

  template <class Work>
  void in_parallel(const Work& work) const {
    constexpr int64_t kFewest = 4096;
    at::parallel_for(0, count_, kFewest, work);
  }

  int8_t label_of(Number best) const {
    if (best < static_cast<Number>(options_.negative_below)) return kNegative;
    return best < static_cast<Number>(options_.positive_from) ? kIgnored : kPositive;
  }

  void first_pass(int64_t begin, int64_t end, int64_t* truth, int8_t* label) {
    std::vector<Number> best_here(best_of_truth_.size(), Number(0));
    for (int64_t n = begin; n < end; ++n) {
      const Number area = boxes_[n].area();
      Number best = -1;
      for (size_t t = 0; t < best_here.size(); ++t) {
        const Number overlap = overlap_of(truths_[t], truth_areas_[t], boxes_[n], area);
        best_here[t] = std::max(best_here[t], overlap);
        if (overlap > best) {
          best = overlap;
          truth[n] = static_cast<int64_t>(t);
        }
      }
      label[n] = label_of(best);
    }
    const std::lock_guard lock(mutex_);
    for (size_t t = 0; t < best_here.size(); ++t) {
      best_of_truth_[t] = std::max(best_of_truth_[t], best_here[t]);
    }
  }

  void second_pass(int64_t begin, int64_t end, int8_t* label) const {
    for (int64_t n = begin; n < end; ++n) {
      const Number area = boxes_[n].area();
      for (size_t t = 0; t < best_of_truth_.size(); ++t) {
        const Number overlap = overlap_of(truths_[t], truth_areas_[t], boxes_[n], area);
        if (overlap == best_of_truth_[t]) label[n] = kPositive;
      }
    }
  }

  const MatchOptions& options_;
  const Box<Number>* truths_;
  const Box<Number>* boxes_;
  int64_t count_;
  std::vector<Number> truth_areas_, best_of_truth_;
  std::mutex mutex_;
};

}  // namespace

Match match(const at::Tensor& truths_T4, const at::Tensor& boxes_N4, const MatchOptions& options) {
  require(truths_T4.scalar_type() == boxes_N4.scalar_type() && truths_T4.size(-1) == 4 &&
              boxes_N4.size(-1) == 4,
          "match: expected boxes of 4 values and of one dtype, got {} and {} values",
          truths_T4.size(-1), boxes_N4.size(-1));
  if (truths_T4.size(0) == 0) return without_truths(boxes_N4.size(0), boxes_N4.device());
  if (!boxes_N4.is_cpu()) return match_overlaps(overlaps(truths_T4, boxes_N4), options);
  const at::Tensor truths = truths_T4.contiguous(), boxes = boxes_N4.contiguous();
  if (boxes.scalar_type() == at::kDouble) return Matching<double>(truths, boxes, options)();
  return Matching<float>(truths, boxes, options)();
}

Match match_overlaps(const at::Tensor& overlaps_TN, const MatchOptions& options) {
  if (overlaps_TN.numel() == 0) return without_truths(overlaps_TN.size(1), overlaps_TN.device());
  const auto [best_N, truth_N] = overlaps_TN.max(0);
  at::Tensor label_N = at::full_like(truth_N, kIgnored, at::kChar);
  label_N.masked_fill_(best_N < options.negative_below, kNegative);
  label_N.masked_fill_(best_N >= options.positive_from, kPositive);
  if (options.low_quality) {
    const at::Tensor best_T1 = overlaps_TN.amax(1, /*keepdim=*/true);
    label_N.masked_fill_((overlaps_TN == best_T1).any(0), kPositive);
  }
  return {truth_N, label_N};
}

}  // namespace fcm::boxes
