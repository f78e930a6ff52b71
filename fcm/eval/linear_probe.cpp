#include "fcm/eval/linear_probe.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/eval/lbfgs.h"
#include "fcm/eval/logistic.h"

namespace fcm::eval {
namespace {

struct Standardisation {
  at::Tensor mean_D, scale_D;

  at::Tensor apply(const at::Tensor& features_ND) const {
    return (features_ND.to(at::kFloat) - mean_D).mul_(scale_D);
  }
};

Standardisation standardisation_of(const at::Tensor& features_ND) {
  const at::Tensor features = features_ND.to(at::kFloat);
  const at::Tensor mean_D = features.mean(0);
  const at::Tensor stddev_D = (features - mean_D).square_().mean(0).sqrt_();
  // The std of a constant feature is a rounding error of its mean; such a feature gets scale 0.
  const at::Tensor varies = stddev_D > mean_D.abs() * 1e-6;
  return {mean_D, at::where(varies, stddev_D.reciprocal(), 0.0)};
}

// Indices of the training features: `fitted` of them to fit, then the held-out ones, one in ten of
// each class.
struct Split {
  at::Tensor order_N;
  int64_t fitted = 0;
};

Split hold_out_a_tenth(const at::Tensor& labels_N, int64_t classes) {
  const at::Tensor labels = labels_N.contiguous();
  std::vector<int64_t> seen(static_cast<size_t>(classes)), fitted, held;
  for (int64_t place = 0; place < labels.size(0); ++place) {
    int64_t& of_class = seen[static_cast<size_t>(labels.const_data_ptr<int64_t>()[place])];
    // The fifth of ten, so that a class of five images holds one out.
    (of_class++ % 10 == 4 ? held : fitted).push_back(place);
  }
  const auto count = static_cast<int64_t>(fitted.size());
  fitted.insert(fitted.end(), held.begin(), held.end());
  return {at::tensor(fitted, at::kLong), count};
}

Minimum fit(const Logistic& data, const at::Tensor& moments_DD, double l2, const at::Tensor& start,
            const LbfgsOptions& options, const std::function<void()>& count_pass) {
  const Objective objective = [&](const at::Tensor& weights) {
    auto value = data.evaluate(weights, l2);
    if (count_pass) count_pass();
    return value;
  };
  // The lower bound avoids a division by 0 if all images are classified with certainty.
  const double curvature = std::max(1e-4, data.mean_curvature(start));
  return minimise(objective, curvature_model(moments_DD, curvature, l2), start, options);
}

struct Choice {
  double l2;
  at::Tensor weights;
  int64_t iterations = 0;
};

// Fits with ever weaker penalties until the loss on held-out features no longer falls.
Choice choose_l2(const Logistic& fitted, const Logistic& held, const at::Tensor& moments_DD,
                 const ProbeOptions& options) {
  Choice best{options.l2.front(), fitted.zero_weights()};
  // This tolerance is small enough to rank the candidates.
  const LbfgsOptions coarse{.max_iterations = options.max_iterations,
                            .tolerance = 50 * options.tolerance};
  double lowest = std::numeric_limits<double>::infinity();
  at::Tensor weights = best.weights;
  int64_t iterations = 0;
  for (const double l2 : options.l2) {
    const Minimum minimum = fit(fitted, moments_DD, l2, weights, coarse, options.count_pass);
    iterations += minimum.iterations;
    weights = minimum.point;
    const double loss = held.mean_loss(weights);
    if (loss >= lowest) break;
    lowest = loss;
    best = {l2, weights};
  }
  best.iterations = iterations;
  return best;
}

}  // namespace

ProbeResult linear_probe(const at::Tensor& train_ND, const at::Tensor& train_labels_N,
                         const at::Tensor& test_MD, const at::Tensor& test_labels_M,
                         int64_t classes, const ProbeOptions& options) {
  const at::NoGradGuard no_grad;
  require(!options.l2.empty(), "linear_probe: expected at least one value of l2, got none");
  check_features(train_ND, train_labels_N, classes, "training");
  check_features(test_MD, test_labels_M, classes, "test");
  require(train_ND.size(1) == test_MD.size(1),
          "linear_probe: expected training and test features of one width, "
          "got {} and {}",
          train_ND.size(1), test_MD.size(1));

  const Standardisation standardise = standardisation_of(train_ND);
  const Split split = hold_out_a_tenth(train_labels_N, classes);
  const at::Tensor features_ND = standardise.apply(train_ND.index_select(0, split.order_N));
  const at::Tensor labels_N = train_labels_N.index_select(0, split.order_N);
  const at::Tensor moments_DD = second_moments(features_ND);
  const Logistic all(features_ND, labels_N, classes);
  const int64_t held = all.images() - split.fitted;

  Choice choice{options.l2[options.l2.size() / 2], all.zero_weights()};
  if (options.l2.size() > 1 && held > 0) {
    choice = choose_l2(Logistic(features_ND.narrow(0, 0, split.fitted),
                                labels_N.narrow(0, 0, split.fitted), classes),
                       Logistic(features_ND.narrow(0, split.fitted, held),
                                labels_N.narrow(0, split.fitted, held), classes),
                       moments_DD, options);
  }
  const Minimum minimum =
      fit(all, moments_DD, choice.l2, choice.weights,
          {.max_iterations = options.max_iterations, .tolerance = options.tolerance},
          options.count_pass);

  ProbeResult result;
  AccuracyCount count(-std::numeric_limits<double>::infinity());
  const Logistic test(standardise.apply(test_MD), test_labels_M, classes);
  count.add(test.scores_CN(minimum.point).t(), test_labels_M);
  static_cast<Accuracy&>(result) = count.percent();
  result.l2 = choice.l2;
  result.train_loss = all.mean_loss(minimum.point);
  result.gradient_norm = minimum.gradient_norm;
  result.iterations = choice.iterations + minimum.iterations;
  result.converged = minimum.converged;
  result.mean_D = standardise.mean_D;
  result.scale_D = standardise.scale_D;
  result.weights_DC = minimum.point.narrow(1, 0, train_ND.size(1)).t().to(at::kFloat);
  result.bias_C = minimum.point.select(1, train_ND.size(1)).to(at::kFloat);
  return result;
}

}  // namespace fcm::eval
