#include "fcm/ops/cases.h"

#include <ATen/ATen.h>

#include <utility>

#include "fcm/ops/window_attention/op.h"

namespace fcm::ops {
namespace {

struct WindowCase {
  int64_t batch, side, window, shift, heads, head_dim;
  int64_t seen = 1;       // one of every `seen` tokens of the map is visible
  bool own_plan = false;  // each image has its own plan
  double scale = 1;
};

// A map of side x side tokens cut into windows; each image has a different subset of the tokens.
WindowSets sets_for(const WindowCase& c) {
  std::vector<std::vector<PlacedToken>> images;
  const int64_t before = (c.window - c.shift) % c.window, across = c.side / c.window + 2;
  for (int64_t image = 0; image < (c.own_plan ? c.batch : 1); ++image) {
    std::vector<PlacedToken> tokens;
    for (int64_t row = 0; row < c.side; ++row) {
      for (int64_t col = 0; col < c.side; ++col) {
        const int64_t cells = c.side * c.side;
        if (((row * c.side + col) * 3 + image * 7) % cells >= cells / c.seen) continue;
        const int64_t set = (row + before) / c.window * across + (col + before) / c.window;
        tokens.push_back({static_cast<int32_t>(tokens.size()), static_cast<int32_t>(set),
                          static_cast<int32_t>(row), static_cast<int32_t>(col)});
      }
    }
    // Tokens are stored in reverse order.
    const auto count = static_cast<int32_t>(tokens.size());
    for (PlacedToken& token : tokens) token.token = count - 1 - token.token;
    images.push_back(std::move(tokens));
  }
  return make_window_sets(images, c.window);
}

// `batch` images with these sets.
struct SizesOfHeads {
  int64_t batch, heads, head_dim;
  double scale = 1;
};

OpCase make(std::string name, const SizesOfHeads& c, const WindowSets& sets) {
  OpCase result;
  result.name = std::move(name);
  const int64_t channels = c.heads * c.head_dim;
  result.inputs = [=](at::ScalarType dtype, uint64_t seed) {
    return OpCase::Inputs{case_values({c.batch, sets.tokens(), 3 * channels}, dtype, seed, c.scale),
                          case_values({sets.table_rows, c.heads}, dtype, seed + 1)};
  };
  const auto place = [sets](const at::Tensor& x) { return sets.to(x.device()); };
  result.run = [place](const OpCase::Inputs& in) {
    return window_attention(in[0], in[1], place(in[0]));
  };
  result.reference = [place](const OpCase::Inputs& in) {
    return window_attention_reference(in[0], in[1], place(in[0]));
  };
  result.library = [place](const OpCase::Inputs& in) {
    return window_attention_library(in[0], in[1], place(in[0]));
  };
  const int64_t copies = sets.plans() == 1 ? c.batch : 1;
  result.forward_flops =
      4 * static_cast<double>(sets.pairs * copies) * static_cast<double>(channels);
  result.forward_elements =
      4 * static_cast<double>(c.batch * sets.tokens()) * static_cast<double>(channels);
  return result;
}

OpCase make(std::string name, const WindowCase& c) {
  return make(std::move(name), {c.batch, c.heads, c.head_dim, c.scale}, sets_for(c));
}

}  // namespace

OpCases window_attention_cases() {
  OpCases all{"window_attention", {}, {}};
  auto& cases = all.cases;
  cases.push_back(timed(make("simmim_stage1", {8, 48, 6, 3, 4, 32})));
  cases.push_back(timed(make("simmim_stage3", {8, 12, 6, 3, 16, 32})));
  cases.push_back(timed(make("finetune_stage1", {4, 56, 7, 0, 4, 32})));
  cases.push_back(timed(make("finetune_stage3", {8, 14, 7, 3, 16, 32})));
  cases.push_back(timed(make("quarter_seen_stage3", {32, 14, 7, 3, 16, 32, 4, true})));
  cases.push_back(make("few_finetune", {2, 14, 7, 3, 2, 32}));
  cases.push_back(make("few_finetune_unshifted", {2, 14, 7, 0, 2, 32}));
  cases.push_back(make("few_simmim", {2, 12, 6, 3, 2, 32}));
  cases.push_back(make("few_quarter_seen", {3, 14, 7, 3, 2, 32, 4, true}));
  cases.push_back(make("few_of_one_plan", {3, 14, 7, 3, 2, 32, 3}));
  cases.push_back(make("one_window_is_the_map", {2, 7, 7, 0, 3, 24}));
  cases.push_back(make("sets_of_one", {2, 5, 1, 0, 2, 16}));
  cases.push_back(make("largest_set", {1, 16, 16, 0, 1, 16}));
  cases.push_back(make("window_over_the_border", {2, 9, 4, 2, 3, 5}));
  cases.push_back(make("head_dim_128", {1, 8, 4, 2, 1, 128}));
  cases.push_back(with_score_rounding(make("peaked", {2, 8, 4, 2, 2, 16, 1, false, 6}), 6, 16));
  cases.push_back(make("by_blocks_of_queries", {2, 17, 17, 0, 3, 8}));
  cases.push_back(make("by_blocks_own_plans", {2, 20, 20, 0, 1, 16, 1, true}));
  cases.push_back(make("too_wide_for_own", {1, 4, 2, 1, 1, 160}));
  cases.push_back(timed(make("segment_512", {2, 12, 64}, make_map_set(32, 32, false))));
  cases.push_back(make("map", {2, 3, 8}, make_map_set(5, 9, false)));
  cases.push_back(make("map_and_class_token", {2, 2, 8}, make_map_set(4, 3, true)));
  cases.push_back(make("large_map_and_class_token", {1, 2, 8}, make_map_set(13, 22, true)));
  cases.push_back(by_differences(make("small_map", {2, 1, 3}, make_map_set(2, 3, true))));
  cases.push_back(by_differences(make("small", {2, 4, 3, 1, 2, 3})));
  cases.push_back(by_differences(make("small_own_plans", {2, 5, 2, 1, 1, 4, 2, true})));
  return all;
}

}  // namespace fcm::ops
