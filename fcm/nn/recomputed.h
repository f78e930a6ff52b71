// A map that is not saved for backward, because it is cheap to recompute from tensors that are
// saved anyway: a normalised map from its input, a sum from its parts.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <utility>
#include <vector>

namespace fcm::nn {

struct Recomputed {
  std::vector<at::Tensor> from;
  // Differentiable in all of `from`; deterministic.
  std::function<at::Tensor(const std::vector<at::Tensor>& from)> make;

  Recomputed(std::vector<at::Tensor> sources,
             std::function<at::Tensor(const std::vector<at::Tensor>&)> maker)
      : from(std::move(sources)), make(std::move(maker)) {}
  // A map that already exists.
  explicit Recomputed(at::Tensor map)
      : from{std::move(map)}, make([](const std::vector<at::Tensor>& maps) { return maps[0]; }) {}

  at::Tensor value() const { return make(from); }
};

}  // namespace fcm::nn
