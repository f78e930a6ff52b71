#include "fcm/ops/cases.h"

#include <ATen/ATen.h>

#include <utility>

#include "fcm/ops/layer_norm/op.h"

namespace fcm::ops {
namespace {

constexpr double kEpsilon = 1e-6;

OpCase make(std::string name, std::vector<int64_t> sizes) {
  OpCase result;
  result.name = std::move(name);
  const int64_t channels = sizes.back();
  result.inputs = [sizes, channels](at::ScalarType dtype, uint64_t seed) {
    const at::ScalarType parameters = c10::promoteTypes(dtype, at::kFloat);
    // Rows far from zero mean and unit variance, so that both normalisations matter.
    const at::Tensor x = case_values(sizes, dtype, seed, 3) + 2;
    return OpCase::Inputs{x, case_values({channels}, parameters, seed + 1),
                          case_values({channels}, parameters, seed + 2)};
  };
  result.run = [](const OpCase::Inputs& in) { return layer_norm(in[0], in[1], in[2], kEpsilon); };
  result.reference = [](const OpCase::Inputs& in) {
    return layer_norm_reference(in[0], in[1], in[2], kEpsilon);
  };
  result.library = [](const OpCase::Inputs& in) {
    return std::get<0>(at::native_layer_norm(in[0], in[1].sizes(), in[1], in[2], kEpsilon));
  };
  double elements = 1;
  for (const int64_t size : sizes) elements *= static_cast<double>(size);
  result.forward_flops = 7 * elements;
  result.forward_elements = 2 * elements + 2 * static_cast<double>(channels);
  return result;
}

}  // namespace

OpCases layer_norm_cases() {
  OpCases all{"layer_norm", {}, {}};
  auto& cases = all.cases;
  cases.push_back(timed(make("base_stage1", {8, 196, 16, 256})));
  cases.push_back(timed(make("base_stage2", {16, 196, 4, 384})));
  cases.push_back(timed(make("base_stage3", {16, 196, 768})));
  cases.push_back(timed(make("base_decoder", {32, 196, 512})));
  cases.push_back(timed(make("demo_stage1", {64, 64, 16, 24})));
  cases.push_back(timed(make("demo_stage2", {64, 64, 4, 48})));
  cases.push_back(timed(make("demo_stage3", {64, 64, 96})));
  cases.push_back(make("rows_256", {700, 256}));
  cases.push_back(make("rows_384", {700, 384}));
  cases.push_back(make("rows_768", {300, 768}));
  cases.push_back(make("rows_1024", {300, 1024}));
  cases.push_back(make("rows_24", {5, 7, 16, 24}));
  cases.push_back(make("rows_48", {5, 7, 4, 48}));
  cases.push_back(make("rows_129", {40, 129}));
  cases.push_back(make("rows_1031", {9, 1031}));
  cases.push_back(make("one_row", {64}));
  cases.push_back(make("no_rows", {0, 32}));
  cases.push_back(by_differences(make("rows_3", {4, 3})));
  cases.push_back(by_differences(make("rows_19", {3, 19})));
  return all;
}

}  // namespace fcm::ops
