// Compares the gradients of autograd with central differences in float64.
#pragma once

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/support/compare.h"

namespace fcm::test {

using Inputs = std::vector<at::Tensor>;
using TensorFunction = std::function<at::Tensor(const Inputs&)>;

// Copies of tensors. Floating-point copies are leaves that require a gradient, in `dtype` if it is
// set.
inline Inputs leaves(const Inputs& inputs, std::optional<at::ScalarType> dtype = std::nullopt) {
  Inputs copies;
  for (const at::Tensor& input : inputs) {
    at::Tensor copy = input.detach().clone();
    if (copy.is_floating_point()) {
      if (dtype) copy = copy.to(*dtype);
      copy.set_requires_grad(true);
    }
    copies.push_back(copy);
  }
  return copies;
}

inline at::Tensor fixed_normal(at::IntArrayRef sizes, uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return at::randn(sizes, generator, at::TensorOptions().dtype(at::kDouble));
}

// Gradients of sum(upstream * result) with respect to the floating-point inputs; undefined for
// other inputs. `inputs` must come from leaves().
inline Inputs gradients(const at::Tensor& result, const Inputs& inputs,
                        const at::Tensor& upstream) {
  Inputs wanted;
  for (const at::Tensor& input : inputs) {
    if (input.is_floating_point()) wanted.push_back(input);
  }
  const Inputs found = torch::autograd::grad({result}, wanted, {upstream.to(result.scalar_type())},
                                             /*retain_graph=*/std::nullopt, /*create_graph=*/false,
                                             /*allow_unused=*/true);
  Inputs all;
  size_t next = 0;
  for (const at::Tensor& input : inputs) {
    all.push_back(input.is_floating_point() ? found[next++] : at::Tensor());
  }
  return all;
}

// The result of `function`, followed by the gradients of its inputs for a fixed upstream gradient.
inline Inputs with_gradients(const TensorFunction& function, const Inputs& inputs) {
  const Inputs start = leaves(inputs);
  const at::Tensor result = function(start);
  Inputs all = gradients(result, start, fixed_normal(result.sizes(), 9));
  all.insert(all.begin(), result.detach());
  return all;
}

// Compares autograd's gradient of every element of every floating-point input with the central
// difference (f(x + step) - f(x - step)) / (2 step). Returns an empty text if all agree; otherwise
// the first input and element that differ. Inputs are float64. The tolerance is relative to the
// largest gradient of the input.
inline std::string check_gradients(const TensorFunction& function, const Inputs& inputs,
                                   double tolerance = 1e-7, double step = 1e-4) {
  const Inputs start = leaves(inputs);
  const at::Tensor result = function(start);
  const at::Tensor upstream = fixed_normal(result.sizes(), 77);
  const Inputs exact = gradients(result, start, upstream);
  const at::NoGradGuard no_grad;
  for (size_t which = 0; which < start.size(); ++which) {
    if (!start[which].is_floating_point()) continue;
    Inputs moved;
    for (const at::Tensor& input : start) moved.push_back(input.detach().clone());
    at::Tensor& input = moved[which];
    at::Tensor slopes = at::empty_like(input);
    for (int64_t i = 0; i < input.numel(); ++i) {
      auto* value = input.mutable_data_ptr<double>() + i;
      const double centre = *value;
      *value = centre + step;
      const double above = (function(moved) * upstream).sum().item<double>();
      *value = centre - step;
      const double below = (function(moved) * upstream).sum().item<double>();
      *value = centre;
      slopes.mutable_data_ptr<double>()[i] = (above - below) / (2 * step);
    }
    const Difference difference = compare(exact[which], slopes, tolerance);
    if (difference.first_bad >= 0) {
      return fmt::format("gradient of input {}: {}", which, difference.description);
    }
  }
  return "";
}

}  // namespace fcm::test
