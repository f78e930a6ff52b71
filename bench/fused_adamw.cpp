#include "bench/fused_adamw.h"

#include <ATen/ATen.h>

#include <utility>

namespace fcm::bench {

void FusedAdamW::add_group(std::vector<at::Tensor> values, double lr, double weight_decay) {
  Group group{lr, weight_decay, std::move(values), {}, {}, {}};
  for (const at::Tensor& value : group.values) {
    group.first.push_back(at::zeros_like(value.detach()));
    group.second.push_back(at::zeros_like(value.detach()));
    group.counts.push_back(at::zeros({}, value.options().requires_grad(false)));
  }
  groups_.push_back(std::move(group));
}

void FusedAdamW::step() {
  const at::NoGradGuard no_grad;
  for (Group& group : groups_) {
    std::vector<at::Tensor> gradients;
    for (at::Tensor& value : group.values) gradients.push_back(value.grad());
    for (at::Tensor& count : group.counts) count.add_(1);
    at::_fused_adamw_(group.values, gradients, group.first, group.second, {}, group.counts,
                      group.lr, options_.beta1, options_.beta2, group.weight_decay,
                      options_.epsilon, /*amsgrad=*/false, /*maximize=*/false);
    for (at::Tensor& value : group.values) value.mutable_grad().reset();
  }
}

}  // namespace fcm::bench
