#include "fcm/ops/cases.h"

#include <ATen/ATen.h>

#include <utility>

#include "fcm/ops/decomposed_attention/op.h"

namespace fcm::ops {
namespace {

struct DecomposedCase {
  int64_t sequences, rows, cols, heads, head_dim;
  double scale = 1;
};

OpCase decomposed(std::string name, const DecomposedCase& c) {
  OpCase result;
  result.name = std::move(name);
  const int64_t tokens = c.rows * c.cols, channels = c.heads * c.head_dim;
  result.inputs = [=](at::ScalarType dtype, uint64_t seed) {
    return OpCase::Inputs{case_values({c.sequences, tokens, 3 * channels}, dtype, seed, c.scale),
                          case_values({2 * c.rows - 1, c.head_dim}, dtype, seed + 1, 0.3),
                          case_values({2 * c.cols - 1, c.head_dim}, dtype, seed + 2, 0.3)};
  };
  result.run = [=](const OpCase::Inputs& in) {
    return decomposed_attention(in[0], c.heads, {in[1], in[2]}, c.rows, c.cols);
  };
  result.reference = [=](const OpCase::Inputs& in) {
    return decomposed_attention_reference(in[0], c.heads, {in[1], in[2]}, c.rows, c.cols);
  };
  result.forward_flops =
      4 * static_cast<double>(c.sequences * tokens * tokens) * static_cast<double>(channels);
  result.forward_elements =
      4 * static_cast<double>(c.sequences * tokens) * static_cast<double>(channels);
  return result;
}

}  // namespace

OpCases decomposed_attention_cases() {
  OpCases all{"decomposed_attention", {}, {}};
  auto& cases = all.cases;
  cases.push_back(timed(decomposed("windows_of_14", {25, 14, 14, 12, 64})));
  cases.push_back(decomposed("several_tiles_of_rows", {2, 30, 41, 2, 8}));
  cases.push_back(decomposed("several_tiles_of_sequences", {40, 14, 12, 3, 4}));
  cases.push_back(decomposed("two_rows", {3, 2, 7, 2, 6}));
  cases.push_back(with_score_rounding(decomposed("peaked", {2, 5, 4, 2, 16, 4}), 4, 16));
  cases.push_back(by_differences(decomposed("small", {2, 3, 2, 2, 3})));
  return all;
}

}  // namespace fcm::ops
