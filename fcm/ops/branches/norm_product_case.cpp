#include "fcm/ops/branches/norm_product_case.h"

#include <cmath>
#include <utility>

namespace fcm::ops {
namespace {

at::Tensor call(NormProduct function, const OpCase::Inputs& in) {
  return function(in[0], {in[1], in[2]}, {in[3], in[4], 1e-5});
}

}  // namespace

OpCase norm_product_case(std::string name, const std::vector<int64_t>& sizes, int64_t outputs,
                         int64_t normed, NormProduct run, NormProduct reference) {
  OpCase result;
  result.name = std::move(name);
  const int64_t inputs = sizes.back();
  result.inputs = [=](at::ScalarType dtype, uint64_t seed) {
    const double scale = 1 / std::sqrt(static_cast<double>(inputs));
    return OpCase::Inputs{
        case_values(sizes, dtype, seed), case_values({outputs, inputs}, dtype, seed + 1, scale),
        case_values({outputs}, dtype, seed + 2), case_values({normed}, dtype, seed + 3) + 1,
        case_values({normed}, dtype, seed + 4)};
  };
  result.run = [=](const OpCase::Inputs& in) { return call(run, in); };
  result.reference = [=](const OpCase::Inputs& in) { return call(reference, in); };
  double elements = 1;
  for (const int64_t size : sizes) elements *= static_cast<double>(size);
  const double rows = elements / static_cast<double>(inputs);
  result.forward_flops = 2 * elements * static_cast<double>(outputs);
  result.forward_elements = rows * static_cast<double>(3 * normed + inputs + outputs);
  return result;
}

}  // namespace fcm::ops
