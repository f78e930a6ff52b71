#include "reference/adamw.h"

#include <ATen/ATen.h>

#include <cmath>

namespace fcm::reference {

void adamw_step(at::Tensor& value, const at::Tensor& gradient, AdamWMoments& moments, double lr,
                double weight_decay, double beta1, double beta2, double epsilon) {
  const at::NoGradGuard no_grad;
  if (!moments.first.defined()) {
    moments.first = at::zeros_like(value);
    moments.second = at::zeros_like(value);
  }
  ++moments.steps;
  const auto steps = static_cast<double>(moments.steps);
  moments.first = beta1 * moments.first + (1 - beta1) * gradient;
  moments.second = beta2 * moments.second + (1 - beta2) * gradient * gradient;
  const at::Tensor mean = moments.first / (1 - std::pow(beta1, steps));
  const at::Tensor stddev = (moments.second / (1 - std::pow(beta2, steps))).sqrt();
  value.mul_(1 - lr * weight_decay).sub_(lr * mean / (stddev + epsilon));
}

}  // namespace fcm::reference
