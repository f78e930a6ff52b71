#include "fcm/ops/cases.h"

#include <ATen/ATen.h>

#include <utility>

#include "fcm/ops/attention/op.h"
#include "fcm/ops/with_isa.h"

namespace fcm::ops {
namespace {

struct Shape {
  int64_t sequences, tokens, heads, head_dim;
  double scale = 1;  // of q, k and v
};

OpCase make(std::string name, Shape shape) {
  OpCase result;
  result.name = std::move(name);
  result.inputs = [shape](at::ScalarType dtype, uint64_t seed) {
    return OpCase::Inputs{
        case_values({shape.sequences, shape.tokens, 3 * shape.heads * shape.head_dim}, dtype, seed,
                    shape.scale)};
  };
  result.run = [shape](const OpCase::Inputs& in) { return attention(in[0], shape.heads); };
  result.reference = [shape](const OpCase::Inputs& in) {
    return attention_reference(in[0], shape.heads);
  };
  result.library = [shape](const OpCase::Inputs& in) {
    return attention_library(in[0], shape.heads);
  };
  const auto values = static_cast<double>(shape.sequences * shape.tokens * shape.heads) *
                      static_cast<double>(shape.head_dim);
  result.forward_flops = 4 * values * static_cast<double>(shape.tokens);
  result.forward_elements = 4 * values;
  return result;
}

}  // namespace

OpCases attention_cases() {
  OpCases all{"attention", {}, {}};
  auto& cases = all.cases;
  cases.push_back(timed(make("base_encoder", {64, 49, 12, 64})));
  cases.push_back(timed(make("base_decoder", {16, 196, 16, 32})));
  cases.push_back(timed(make("base_finetune", {16, 196, 12, 64})));
  cases.push_back(timed(make("demo_encoder", {1024, 4, 4, 24})));
  cases.push_back(timed(make("demo_decoder", {1024, 16, 4, 12})));
  cases.push_back(make("few_base_encoder", {3, 49, 12, 64}));
  cases.push_back(make("few_base_decoder", {2, 196, 4, 32}));
  cases.push_back(make("few_demo_encoder", {33, 4, 4, 24}));
  cases.push_back(make("few_demo_decoder", {33, 16, 4, 12}));
  cases.push_back(make("tokens_257", {1, 257, 2, 40}));
  cases.push_back(make("one_token", {5, 1, 3, 16}));
  cases.push_back(make("head_dim_1", {2, 9, 3, 1}));
  cases.push_back(make("head_dim_128", {2, 30, 2, 128}));
  // probabilities near 0 and 1
  cases.push_back(with_score_rounding(make("peaked", {2, 25, 2, 16, 6}), 6, 16));
  cases.push_back(make("too_wide_for_own", {1, 6, 1, 160}));
  cases.push_back(make("too_long_for_own", {1, 530, 1, 8}));
  cases.push_back(make("no_sequences", {0, 4, 2, 8}));
  cases.push_back(by_differences(make("small", {2, 5, 2, 3})));
  cases.push_back(by_differences(make("more_than_a_block_of_rows", {1, 27, 1, 2})));
  return all;
}

}  // namespace fcm::ops
