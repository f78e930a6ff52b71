#include "fcm/ops/norm_gelu/cases.h"

#include <utility>

#include "fcm/ops/norm_gelu/op.h"

namespace fcm::ops {
namespace {

constexpr double kEpsilon = 1e-5;

OpCase make(std::string name, std::vector<int64_t> sizes) {
  OpCase result;
  result.name = std::move(name);
  const int64_t channels = sizes.back();
  result.inputs = [=](at::ScalarType dtype, uint64_t seed) {
    return OpCase::Inputs{case_values(sizes, dtype, seed, 2),
                          case_values({channels}, dtype, seed + 1),
                          case_values({channels}, dtype, seed + 2)};
  };
  result.run = [](const OpCase::Inputs& in) {
    return ops::norm_gelu(in[0], in[1], in[2], kEpsilon);
  };
  result.reference = [](const OpCase::Inputs& in) {
    return norm_gelu_reference(in[0], in[1], in[2], kEpsilon);
  };
  double elements = 1;
  for (const int64_t size : sizes) elements *= static_cast<double>(size);
  result.forward_flops = 48 * elements;
  result.forward_elements = 2 * elements;
  return result;
}

}  // namespace

OpCases norm_gelu_cases() {
  OpCases all{"norm_gelu", {}, {}};
  all.cases.push_back(make("base_embed1", {2, 196, 16, 256}));
  all.cases.back().benchmark = true;
  all.cases.push_back(make("base_embed3", {8, 196, 768}));
  all.cases.back().benchmark = true;
  all.cases.push_back(make("no_elements", {0, 4}));
  all.cases.push_back(make("remainder", {3, 5, 13}));
  all.cases.back().check_by_differences = true;
  return all;
}

}  // namespace fcm::ops
