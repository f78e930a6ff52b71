#include "fcm/ops/cases.h"

#include <ATen/ATen.h>

#include <utility>

#include "fcm/ops/cross_attention/op.h"
#include "fcm/ops/with_isa.h"

namespace fcm::ops {
namespace {

struct CrossShape {
  int64_t sequences, queries, keys, heads, head_dim;
  double scale = 1;  // of q, k and v
};

OpCase make_cross(std::string name, CrossShape shape) {
  OpCase result;
  result.name = std::move(name);
  const int64_t width = shape.heads * shape.head_dim;
  result.inputs = [shape, width](at::ScalarType dtype, uint64_t seed) {
    return OpCase::Inputs{
        case_values({shape.sequences, shape.queries, width}, dtype, seed, shape.scale),
        case_values({shape.sequences, shape.keys, 2 * width}, dtype, seed + 1, shape.scale)};
  };
  result.run = [shape](const OpCase::Inputs& in) {
    return cross_attention(in[0], in[1], shape.heads);
  };
  result.reference = [shape](const OpCase::Inputs& in) {
    return cross_attention_reference(in[0], in[1], shape.heads);
  };
  result.library = [shape](const OpCase::Inputs& in) {
    return cross_attention_library(in[0], in[1], shape.heads);
  };
  const auto channels = static_cast<double>(shape.sequences * width);
  result.forward_flops = 4 * channels * static_cast<double>(shape.queries * shape.keys);
  result.forward_elements = 2 * channels * static_cast<double>(shape.queries + shape.keys);
  return result;
}

}  // namespace

OpCases cross_attention_cases() {
  OpCases all{"cross_attention", {}, {}};
  auto& cases = all.cases;
  cases.push_back(timed(make_cross("base_quarter", {32, 37, 49, 16, 32})));
  cases.push_back(timed(make_cross("base_whole", {32, 147, 49, 16, 32})));
  cases.push_back(make_cross("few_quarter", {3, 37, 49, 4, 32}));
  cases.push_back(make_cross("few_whole", {2, 147, 50, 3, 32}));
  cases.push_back(make_cross("one_query", {5, 1, 30, 3, 16}));
  cases.push_back(make_cross("one_key", {5, 30, 1, 3, 16}));
  // With one key dq is 0, and the library's is rounding noise: a tolerance relative to the largest
  // value has no scale.
  cases.back().library = nullptr;
  cases.push_back(make_cross("as_many", {3, 40, 40, 2, 24}));
  cases.push_back(make_cross("head_dim_1", {2, 9, 5, 3, 1}));
  cases.push_back(make_cross("head_dim_128", {2, 7, 30, 2, 128}));
  // probabilities near 0 and 1
  cases.push_back(with_score_rounding(make_cross("peaked", {2, 13, 25, 2, 16, 6}), 6, 16));
  cases.push_back(make_cross("too_wide_for_own", {1, 6, 4, 1, 160}));
  cases.push_back(make_cross("too_long_for_own", {1, 3, 530, 1, 8}));
  cases.push_back(make_cross("no_queries", {2, 0, 4, 2, 8}));
  cases.push_back(by_differences(make_cross("small", {2, 5, 3, 2, 3})));
  cases.push_back(by_differences(make_cross("more_than_a_block_of_rows", {1, 27, 3, 1, 2})));
  return all;
}

}  // namespace fcm::ops
