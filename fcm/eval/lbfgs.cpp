#include "fcm/eval/lbfgs.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>
#include <optional>
#include <vector>

namespace fcm::eval {
namespace {

double scalar_product(const at::Tensor& a, const at::Tensor& b) {
  return at::dot(a.flatten(), b.flatten()).item<double>();
}

// The last curvature pairs (step, change of gradient).
class History {
 public:
  History(const Preconditioner& precondition, int64_t length)
      : precondition_(precondition), length_(static_cast<size_t>(length)) {}

  void remember(const at::Tensor& step, const at::Tensor& change) {
    const double curvature = scalar_product(step, change);
    // Rounding can make a convex function look flat or concave along a tiny step.
    if (curvature <= 1e-12 * std::sqrt(scalar_product(step, step) * scalar_product(change, change)))
      return;
    pairs_.push_back({step, change, curvature});
    if (pairs_.size() > length_) pairs_.pop_front();
  }

  void forget() { pairs_.clear(); }
  bool empty() const { return pairs_.empty(); }

  // The two-loop recursion: the descent direction for a gradient.
  at::Tensor direction(const at::Tensor& gradient) const {
    at::Tensor rest = gradient.clone();
    std::vector<double> shares(pairs_.size());
    for (size_t i = pairs_.size(); i-- > 0;) {
      shares[i] = scalar_product(pairs_[i].step, rest) / pairs_[i].curvature;
      rest.sub_(pairs_[i].change, shares[i]);
    }
    at::Tensor result = precondition_(rest);
    if (!pairs_.empty()) {
      const Pair& last = pairs_.back();
      result = result * (last.curvature / scalar_product(last.change, precondition_(last.change)));
    }
    for (size_t i = 0; i < pairs_.size(); ++i) {
      const double share = scalar_product(pairs_[i].change, result) / pairs_[i].curvature;
      result.add_(pairs_[i].step, shares[i] - share);
    }
    return result.neg_();
  }

 private:
  struct Pair {
    at::Tensor step, change;
    double curvature;
  };
  const Preconditioner& precondition_;
  size_t length_;
  std::deque<Pair> pairs_;
};

struct Step {
  at::Tensor point;
  Evaluation evaluation;
};

// Line search by bracketing: finds a point along `direction` at which the magnitude of the slope
// has decreased. On a convex function the slope only increases along a line. Function values are
// used only if they differ by more than their rounding error (after Hager and Zhang 2005), because
// near the minimum only gradients are accurate enough. nullopt if no point is found.
std::optional<Step> search(const Objective& objective, const at::Tensor& point,
                           const Evaluation& here, const at::Tensor& direction,
                           int64_t& evaluations) {
  const double steepness = -scalar_product(here.gradient, direction);
  const double rounding = 1e-6 * std::abs(here.value);
  double low = 0, high = std::numeric_limits<double>::infinity(), length = 1;
  for (int trial = 0; trial < 40; ++trial) {
    Step step{point + direction * length, {}};
    step.evaluation = objective(step.point);
    ++evaluations;
    const double slope = scalar_product(step.evaluation.gradient, direction);
    const bool descends =
        step.evaluation.value <= here.value - 1e-4 * length * steepness + rounding;
    const bool too_far = !descends || slope > 0.8 * steepness;
    if (!too_far && slope >= -0.9 * steepness) return step;
    (too_far ? high : low) = length;
    length = std::isinf(high) ? 2 * length : 0.5 * (low + high);
  }
  return std::nullopt;
}

}  // namespace

Minimum minimise(const Objective& objective, const Preconditioner& precondition,
                 const at::Tensor& start, const LbfgsOptions& options) {
  History history(precondition, options.history);
  Minimum minimum;
  minimum.point = start.clone();
  Evaluation here = objective(minimum.point);
  minimum.evaluations = 1;
  while (true) {
    minimum.value = here.value;
    minimum.gradient_norm = std::sqrt(scalar_product(here.gradient, here.gradient));
    minimum.converged = minimum.gradient_norm <= options.tolerance;
    if (minimum.converged || minimum.iterations >= options.max_iterations) return minimum;
    std::optional<Step> step;
    const at::Tensor direction = history.direction(here.gradient);
    if (scalar_product(direction, here.gradient) < 0) {
      step = search(objective, minimum.point, here, direction, minimum.evaluations);
    }
    if (!step) {
      if (history.empty()) return minimum;
      history.forget();  // retry along the preconditioned gradient
      continue;
    }
    history.remember(step->point - minimum.point, step->evaluation.gradient - here.gradient);
    minimum.point = step->point;
    here = step->evaluation;
    ++minimum.iterations;
  }
}

}  // namespace fcm::eval
