#include "fcm/eval/logistic.h"

#include <ATen/ATen.h>

#include <tuple>
#include <utility>

#include "fcm/base/error.h"

namespace fcm::eval {
namespace {

// Mean negative log-probability of the labels, summed in float64.
double mean_negative(const at::Tensor& log_probabilities_CN, const at::Tensor& labels_N) {
  const at::Tensor own = log_probabilities_CN.gather(0, labels_N.unsqueeze(0));
  return -own.sum(at::kDouble).item<double>() / static_cast<double>(own.numel());
}

}  // namespace

Logistic::Logistic(at::Tensor features_ND, at::Tensor labels_N, int64_t classes)
    : features_ND_(std::move(features_ND)), labels_N_(std::move(labels_N)), classes_(classes) {}

at::Tensor Logistic::zero_weights() const {
  return at::zeros({classes_, features_ND_.size(1) + 1}, at::kDouble);
}

at::Tensor Logistic::scores_CN(const at::Tensor& weights) const {
  const int64_t width = features_ND_.size(1);
  const at::Tensor single = weights.to(at::kFloat);
  return at::addmm(single.narrow(1, width, 1), single.narrow(1, 0, width).contiguous(),
                   features_ND_.t());
}

double Logistic::mean_loss(const at::Tensor& weights) const {
  return mean_negative(scores_CN(weights).log_softmax(0), labels_N_);
}

double Logistic::mean_curvature(const at::Tensor& weights) const {
  const at::Tensor probabilities_CN = scores_CN(weights).softmax(0);
  return (probabilities_CN * (1 - probabilities_CN)).mean().item<double>();
}

Evaluation Logistic::evaluate(const at::Tensor& weights, double l2) const {
  const at::Tensor log_probabilities_CN = scores_CN(weights).log_softmax(0);
  const at::Tensor penalised = weights.narrow(1, 0, features_ND_.size(1));
  Evaluation result;
  result.value = mean_negative(log_probabilities_CN, labels_N_) +
                 0.5 * l2 * penalised.square().sum().item<double>();
  // N times the gradient of the mean loss with respect to the scores: the probability of each
  // class, minus 1 for the label's class.
  const at::Tensor error_CN = log_probabilities_CN.exp();
  error_CN.scatter_add_(0, labels_N_.unsqueeze(0), at::full({1, images()}, -1.0, at::kFloat));
  const auto count = static_cast<double>(images());
  const at::Tensor by_weights = at::mm(error_CN, features_ND_).to(at::kDouble).div_(count);
  const at::Tensor by_biases = error_CN.sum({1}, /*keepdim=*/true, at::kDouble).div_(count);
  result.gradient = at::cat({by_weights.add_(penalised, l2), by_biases}, 1);
  return result;
}

at::Tensor second_moments(const at::Tensor& features_ND) {
  constexpr int64_t kRows = 32768;
  const int64_t stride = (features_ND.size(0) + kRows - 1) / kRows;
  const at::Tensor rows = features_ND.slice(0, 0, std::nullopt, stride);
  return (at::mm(rows.t(), rows) / static_cast<double>(rows.size(0))).to(at::kDouble);
}

Preconditioner curvature_model(const at::Tensor& second_moments_DD, double curvature, double l2) {
  const int64_t width = second_moments_DD.size(0);
  at::Tensor model = second_moments_DD * curvature;
  // The moments have rounding errors of float32, so a small term keeps the model positive definite.
  model.diagonal().add_(l2 + 1e-5 * model.diagonal().mean().item<double>() + 1e-12);
  const at::Tensor factor = at::linalg_cholesky(model);
  return [factor, width, curvature](const at::Tensor& gradient) {
    const at::Tensor by_weights = gradient.narrow(1, 0, width);
    return at::cat(
        {at::cholesky_solve(by_weights.t(), factor).t(), gradient.narrow(1, width, 1) / curvature},
        1);
  };
}

}  // namespace fcm::eval
