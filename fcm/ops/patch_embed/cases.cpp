#include "fcm/ops/patch_embed/cases.h"

#include <cmath>
#include <utility>

#include "fcm/ops/patch_embed/op.h"

namespace fcm::ops {
namespace {

constexpr double kEpsilon = 1e-5;

OpCase make(std::string name, std::vector<int64_t> sizes, int64_t outputs) {
  OpCase result;
  result.name = std::move(name);
  const int64_t inputs = sizes.back(), normed = outputs;
  result.inputs = [=](at::ScalarType dtype, uint64_t seed) {
    const double scale = 1 / std::sqrt(static_cast<double>(inputs));
    return OpCase::Inputs{
        case_values(sizes, dtype, seed), case_values({outputs, inputs}, dtype, seed + 1, scale),
        case_values({outputs}, dtype, seed + 2), case_values({normed}, dtype, seed + 3) + 1,
        case_values({normed}, dtype, seed + 4)};
  };
  result.run = [](const OpCase::Inputs& in) {
    return patch_embed(in[0], {in[1], in[2]}, {in[3], in[4], kEpsilon});
  };
  result.reference = [](const OpCase::Inputs& in) {
    return patch_embed_reference(in[0], {in[1], in[2]}, {in[3], in[4], kEpsilon});
  };
  double elements = 1;
  for (const int64_t size : sizes) elements *= static_cast<double>(size);
  const double rows = elements / static_cast<double>(inputs);
  result.forward_flops = 2 * elements * static_cast<double>(outputs);
  result.forward_elements = rows * static_cast<double>(3 * normed + inputs + outputs);
  return result;
}

}  // namespace

OpCases patch_embed_cases() {
  OpCases all{"patch_embed", {}, {}};
  all.cases.push_back(make("base_first", {2, 196, 16, 48}, 256));
  all.cases.back().benchmark = true;
  all.cases.push_back(make("base_third", {8, 196, 1536}, 768));
  all.cases.back().benchmark = true;
  all.cases.push_back(make("no_elements", {0, 4}, 16));
  all.cases.push_back(make("product_kept", {3, 5, 13}, 11));
  all.cases.back().check_by_differences = true;
  all.cases.push_back(make("product_made_again", {3, 2, 3}, 14));
  all.cases.back().check_by_differences = true;
  return all;
}

}  // namespace fcm::ops
