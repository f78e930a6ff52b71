#include "fcm/ops/cases.h"

#include <ATen/ATen.h>

#include <utility>

#include "fcm/ops/mix/op.h"

namespace fcm::ops {
namespace {

using Mixes = std::vector<at::Tensor> (*)(const std::vector<at::Tensor>&, const at::Tensor&);

// Inputs: the weights, then the tensors that are mixed.
at::Tensor stacked_mix(Mixes function, const OpCase::Inputs& in) {
  return at::stack(function({in.begin() + 1, in.end()}, in[0]));
}

OpCase make_mix(std::string name, std::vector<int64_t> sizes, int64_t from, int64_t to) {
  OpCase result;
  result.name = std::move(name);
  result.inputs = [=](at::ScalarType dtype, uint64_t seed) {
    OpCase::Inputs inputs{
        case_values({to, from}, at::kDouble, seed).to(dtype == at::kBFloat16 ? at::kFloat : dtype)};
    for (int64_t i = 0; i < from; ++i) {
      inputs.push_back(case_values(sizes, dtype, seed + 1 + static_cast<uint64_t>(i)));
    }
    return inputs;
  };
  result.run = [](const OpCase::Inputs& in) { return stacked_mix(mix, in); };
  result.reference = [](const OpCase::Inputs& in) { return stacked_mix(mix_reference, in); };
  double numbers = 1;
  for (const int64_t size : sizes) numbers *= static_cast<double>(size);
  result.forward_flops = 2 * numbers * static_cast<double>(from * to);
  result.forward_elements = numbers * static_cast<double>(from + to);
  return result;
}

}  // namespace

OpCases mix_cases() {
  OpCases all{"mix", {}, {}};
  auto& cases = all.cases;
  cases.push_back(timed(make_mix("base", {32, 49, 768}, 12, 8)));
  cases.push_back(make_mix("few_base", {2, 49, 768}, 12, 8));
  cases.push_back(make_mix("whole_chunks", {2, 64, 128}, 3, 2));
  cases.push_back(make_mix("one_of_one", {3, 5, 7}, 1, 1));
  cases.push_back(make_mix("more_than_there_are", {3, 5, 7}, 2, 5));
  cases.push_back(make_mix("nothing", {0, 5, 7}, 2, 3));
  cases.push_back(by_differences(make_mix("small", {2, 3, 2}, 3, 2)));
  return all;
}

}  // namespace fcm::ops
