#include "fcm/ops/cases.h"

#include <cmath>
#include <utility>

#include "fcm/ops/conv3x3/op.h"

namespace fcm::ops {
namespace {

struct ConvSizes {
  int64_t images, rows, cols, in, out;
};

OpCase make(std::string name, const ConvSizes& c) {
  OpCase result;
  result.name = std::move(name);
  result.inputs = [=](at::ScalarType dtype, uint64_t seed) {
    const double scale = 1 / std::sqrt(9.0 * static_cast<double>(c.in));
    return OpCase::Inputs{case_values({c.images, c.rows, c.cols, c.in}, dtype, seed),
                          case_values({c.out, 3, 3, c.in}, dtype, seed + 1, scale)};
  };
  result.run = [](const OpCase::Inputs& in) { return conv3x3(in[0], in[1]); };
  result.reference = [](const OpCase::Inputs& in) { return conv3x3_reference(in[0], in[1]); };
  result.library = result.reference;
  const auto cells = static_cast<double>(c.images * c.rows * c.cols);
  const auto in = static_cast<double>(c.in), out = static_cast<double>(c.out);
  result.forward_flops = 18 * cells * in * out;
  result.forward_elements = cells * (in + out) + 9 * in * out;
  return result;
}

}  // namespace

OpCases conv3x3_cases() {
  // Transformed inputs are sums up to 100 times as large as the inputs, and products have weights
  // up to 64: cancellation leaves more rounding error.
  OpCases all{"conv3x3", {.float32 = 1e-5, .float32_gradient = 2e-5}, {}};
  all.cases.push_back(timed(make("fpn_64x64", {1, 64, 64, 768, 768})));
  all.cases.push_back(timed(make("fpn_32x32", {2, 32, 32, 768, 768})));
  all.cases.push_back(timed(make("rpn_64x64", {1, 64, 64, 256, 256})));
  all.cases.push_back(make("odd_sides", {2, 13, 7, 19, 5}));
  all.cases.push_back(make("several_bands", {2, 51, 41, 3, 4}));
  all.cases.push_back(make("one_cell", {3, 1, 1, 6, 4}));
  all.cases.push_back(by_differences(make("small", {2, 5, 6, 3, 2})));
  return all;
}

}  // namespace fcm::ops
