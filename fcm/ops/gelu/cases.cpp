#include "fcm/ops/cases.h"

#include <ATen/ATen.h>

#include <utility>

#include "fcm/ops/gelu/op.h"

namespace fcm::ops {
namespace {

OpCase make(std::string name, std::vector<int64_t> sizes) {
  OpCase result;
  result.name = std::move(name);
  result.inputs = [sizes](at::ScalarType dtype, uint64_t seed) {
    return OpCase::Inputs{case_values(sizes, dtype, seed, 2)};
  };
  result.run = [](const OpCase::Inputs& in) { return ops::gelu(in[0]); };
  result.reference = [](const OpCase::Inputs& in) { return gelu_reference(in[0]); };
  result.library = [](const OpCase::Inputs& in) { return at::gelu(in[0]); };
  double elements = 1;
  for (const int64_t size : sizes) elements *= static_cast<double>(size);
  result.forward_flops = 40 * elements;
  result.forward_elements = 2 * elements;
  return result;
}

}  // namespace

OpCases gelu_cases() {
  OpCases all{"gelu", {}, {}};
  auto& cases = all.cases;
  cases.push_back(timed(make("base_stage1", {2, 196, 16, 1024})));
  cases.push_back(timed(make("base_stage3", {16, 49, 3072})));
  cases.push_back(timed(make("demo_stage1", {64, 64, 16, 96})));
  cases.push_back(timed(make("demo_stage2", {64, 64, 4, 192})));
  cases.push_back(make("more_than_a_block", {3, 20011}));
  cases.push_back(make("one_element", {1}));
  cases.push_back(make("no_elements", {0, 4}));
  cases.push_back(by_differences(make("remainder", {3, 13})));
  return all;
}

}  // namespace fcm::ops
