#include "fcm/ops/cases.h"

#include <ATen/ATen.h>

#include <cmath>
#include <utility>

#include "fcm/ops/adamw/op.h"

namespace fcm::ops {
namespace {

using Update = void (*)(const AdamWBuffers&, std::span<const AdamWSegment>, const AdamWFactors&);

// The third step of a run; weight and bias segments alternate, as in a model.
at::Tensor updated(Update update, const OpCase::Inputs& in, int64_t weights, int64_t biases) {
  const at::ScalarType dtype = in[0].scalar_type();
  const at::ScalarType wide = c10::promoteTypes(dtype, at::kFloat);
  const auto buffer = [&](size_t index) { return in[index].detach().to(wide); };
  const AdamWBuffers buffers{buffer(0), buffer(1), buffer(2), buffer(3)};
  std::vector<AdamWSegment> segments;
  const double lr = 1e-3, rate = lr / (1 - std::pow(0.9, 3));
  for (int64_t begin = 0; begin < in[0].size(0); begin += weights + biases) {
    segments.push_back({begin, begin + weights, rate, 1 - 0.05 * lr});
    segments.push_back({begin + weights, begin + weights + biases, rate / 2, 1});
  }
  update(buffers, segments, {0.7, 0.9, 0.95, 1 / std::sqrt(1 - std::pow(0.95, 3)), 1e-8});
  return buffers.value_E.to(dtype);
}

OpCase make(std::string name, int64_t layers, int64_t weights, int64_t biases) {
  const int64_t elements = layers * (weights + biases);
  OpCase result;
  result.name = std::move(name);
  result.inputs = [=](at::ScalarType dtype, uint64_t seed) {
    return OpCase::Inputs{case_values({elements}, dtype, seed, 0.02),
                          case_values({elements}, dtype, seed + 1, 1e-3),
                          // From 1 down to 1e-7: second moments of every size.
                          case_values({elements}, dtype, seed + 2, 4).abs().neg().exp(),
                          case_values({elements}, dtype, seed + 3, 1e-3)};
  };
  result.run = [=](const OpCase::Inputs& in) { return updated(adamw, in, weights, biases); };
  result.reference = [=](const OpCase::Inputs& in) {
    return updated(adamw_reference, in, weights, biases);
  };
  result.forward_flops = 16 * static_cast<double>(elements);
  result.forward_elements = 7 * static_cast<double>(elements);
  return result;
}

}  // namespace

OpCases adamw_cases() {
  OpCases all{"adamw", {}, {}};
  auto& cases = all.cases;
  cases.push_back(timed(make("base_decoder_block", 1, 3145728, 6656)));
  cases.push_back(make("base_biases", 3, 66000, 512));
  cases.push_back(make("odd_borders", 40, 1237, 3));
  cases.push_back(make("one_element", 1, 1, 0));
  cases.push_back(make("no_elements", 0, 5, 1));
  return all;
}

}  // namespace fcm::ops
