// Helpers for comparing a head with the reference for the same weights: results, gradients, running
// statistics.
#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "fcm/nn/parameters.h"
#include "reference/layers.h"
#include "tests/support/gradcheck.h"

namespace fcm::heads {

inline at::Tensor nchw(const at::Tensor& map_BHWC) { return map_BHWC.permute({0, 3, 1, 2}); }

// Sets random values, because initial values of 0 and 1 would hide mistakes.
inline void fill(nn::Parameters& parameters) {
  uint64_t seed = 100;
  for (const nn::Parameter& parameter : parameters.all()) {
    if (parameter.name.ends_with("num_batches_tracked")) continue;
    at::Tensor value = test::fixed_normal(parameter.published_shape, ++seed);
    const bool is_scale =
        parameter.name.ends_with("running_var") ||
        (parameter.published_shape.size() == 1 && parameter.name.ends_with(".weight"));
    if (is_scale) value = value.abs() * 0.3 + 0.7;
    if (value.dim() == 4) value = value * std::pow(value[0].numel(), -0.5);
    parameters.set_published(parameter, value);
  }
}

// Copies of the parameters as weights of the reference.
inline reference::Weights weights_of(const nn::Parameters& parameters) {
  reference::Weights weights;
  for (const nn::Parameter& parameter : parameters.all()) {
    weights[parameter.name] = parameters.published(parameter).clone();
    weights[parameter.name].set_requires_grad(parameter.trainable);
  }
  return weights;
}

template <class Head, class Options>
struct Built {
  nn::Parameters parameters;
  Head head;
  Built(const char* name, const Options& options, at::ScalarType type = at::kDouble)
      : parameters(7, type), head(nn::Scope(parameters) / name, options) {
    fill(parameters);
  }
};
inline test::Inputs in_nchw(const test::Inputs& maps) {
  test::Inputs transposed;
  for (const at::Tensor& map : maps) {
    transposed.push_back(nchw(map.detach()).contiguous().requires_grad_(true));
  }
  return transposed;
}

// Compares the gradients of two sums that should be equal: with respect to the maps ([B, H, W, C]
// of the head, [B, C, H, W] of the reference), and to the parameters by name, in upstream shapes.
inline void expect_same_gradients(const at::Tensor& sum, const test::Inputs& maps,
                                  const nn::Parameters& parameters, const at::Tensor& plain_sum,
                                  const test::Inputs& plain_maps, const reference::Weights& weights,
                                  double tolerance) {
  test::Inputs of = maps, of_plain = plain_maps;
  for (const nn::Parameter& parameter : parameters.all()) {
    if (!parameter.trainable) continue;
    of.push_back(parameter.value);
    of_plain.push_back(weights.at(parameter.name));
  }
  const at::Tensor one = at::ones({});
  const test::Inputs got = test::gradients(sum, of, one);
  const test::Inputs wanted = test::gradients(plain_sum, of_plain, one);
  for (size_t i = 0; i < maps.size(); ++i) {
    EXPECT_EQ(test::compare(nchw(got[i]), wanted[i], tolerance).description, "") << "map " << i;
  }
  size_t next = maps.size();
  for (const nn::Parameter& parameter : parameters.all()) {
    if (!parameter.trainable) continue;
    const at::Tensor own = nn::to_published(got[next], parameter.layout, parameter.published_shape);
    EXPECT_EQ(test::compare(own, wanted[next], tolerance).description, "") << parameter.name;
    ++next;
  }
}

inline void expect_same_statistics(const nn::Parameters& parameters,
                                   const reference::Weights& weights, double tolerance) {
  for (const nn::Parameter& parameter : parameters.all()) {
    if (parameter.name.find(".running_") == std::string::npos) continue;
    EXPECT_EQ(test::compare(parameter.value, weights.at(parameter.name), tolerance).description, "")
        << parameter.name;
  }
}

}  // namespace fcm::heads
