#include "fcm/optim/lars.h"

#include <ATen/ATen.h>

#include "fcm/optim/norm.h"

namespace fcm::optim {

Lars::Lars(nn::Parameters& parameters, const LarsOptions& options)
    : parameters_(parameters),
      options_(options),
      momenta_(at::zeros_like(parameters.flat_values())) {}

void Lars::step(double lr) {
  const at::NoGradGuard no_grad;
  int64_t offset = 0;
  for (const nn::Parameter& parameter : parameters_.all()) {
    if (!parameter.trainable) continue;
    const int64_t elements = parameter.value.numel();
    at::Tensor value = parameters_.flat_values().narrow(0, offset, elements);
    at::Tensor momentum = momenta_.narrow(0, offset, elements);
    at::Tensor change = parameters_.flat_gradients().narrow(0, offset, elements);
    if (parameter.published_shape.size() > 1) {
      change = change.add(value, options_.weight_decay);
      const double value_norm = euclidean_norm(value), change_norm = euclidean_norm(change);
      if (value_norm > 0 && change_norm > 0) {
        change = change * (options_.trust * value_norm / change_norm);
      }
    }
    momentum.mul_(options_.momentum).add_(change);
    value.sub_(momentum, lr);
    offset += elements;
  }
}

void Lars::zero_gradients() { parameters_.zero_gradients(); }

}  // namespace fcm::optim
