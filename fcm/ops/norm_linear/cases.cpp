#include "fcm/ops/norm_linear/cases.h"

#include <cmath>
#include <utility>

#include "fcm/ops/norm_linear/op.h"

namespace fcm::ops {
namespace {

constexpr double kEpsilon = 1e-5;

OpCase make(std::string name, std::vector<int64_t> sizes, int64_t outputs) {
  OpCase result;
  result.name = std::move(name);
  const int64_t inputs = sizes.back(), normed = inputs;
  result.inputs = [=](at::ScalarType dtype, uint64_t seed) {
    const double scale = 1 / std::sqrt(static_cast<double>(inputs));
    return OpCase::Inputs{
        case_values(sizes, dtype, seed), case_values({outputs, inputs}, dtype, seed + 1, scale),
        case_values({outputs}, dtype, seed + 2), case_values({normed}, dtype, seed + 3) + 1,
        case_values({normed}, dtype, seed + 4)};
  };
  result.run = [](const OpCase::Inputs& in) {
    return norm_linear(in[0], {in[3], in[4], kEpsilon}, {in[1], in[2]});
  };
  result.reference = [](const OpCase::Inputs& in) {
    return norm_linear_reference(in[0], {in[3], in[4], kEpsilon}, {in[1], in[2]});
  };
  double elements = 1;
  for (const int64_t size : sizes) elements *= static_cast<double>(size);
  const double rows = elements / static_cast<double>(inputs);
  result.forward_flops = 2 * elements * static_cast<double>(outputs);
  result.forward_elements = rows * static_cast<double>(3 * normed + inputs + outputs);
  return result;
}

}  // namespace

OpCases norm_linear_cases() {
  OpCases all{"norm_linear", {}, {}};
  all.cases.push_back(make("base_prediction", {8, 147, 512}, 768));
  all.cases.back().benchmark = true;
  all.cases.push_back(make("no_elements", {0, 4}, 6));
  all.cases.push_back(make("remainder", {3, 5, 13}, 7));
  all.cases.back().check_by_differences = true;
  return all;
}

}  // namespace fcm::ops
