#include "bench/reference_training.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <utility>

namespace fcm::bench {

reference::Weights published_weights(const nn::Parameters& parameters) {
  reference::Weights weights;
  for (const nn::Parameter& parameter : parameters.all()) {
    weights[parameter.name] = parameters.published(parameter).to(
        parameters.device(), at::kFloat, /*non_blocking=*/false, /*copy=*/true);
  }
  return weights;
}

ReferenceTraining::ReferenceTraining(const nn::Parameters& parameters,
                                     const std::vector<optim::ParameterGroup>& groups,
                                     const optim::OptimOptions& options)
    : device_(parameters.device()), weights_(published_weights(parameters)), adamw_(options) {
  constexpr double kRate = 1e-6;
  for (const optim::ParameterGroup& group : groups) {
    std::vector<at::Tensor> values;
    for (const size_t index : group.parameters) {
      values.push_back(weights_.at(parameters.all()[index].name).requires_grad_(true));
    }
    adamw_.add_group(std::move(values), group.lr(kRate), group.weight_decay);
  }
}

Parts ReferenceTraining::step() {
  Laps laps(device_);
  const double before = allocated_bytes(device_);
  const at::Tensor loss_of_step = loss();
  laps.lap("forward");  // the parts of the forward pass cannot be timed separately
  saved_bytes = allocated_bytes(device_) - before;
  torch::autograd::backward({loss_of_step}, {});
  laps.lap("backward");
  adamw_.step();
  laps.lap("update");
  return laps.parts;
}

}  // namespace fcm::bench
