#include "fcm/ops/cases.h"

#include <ATen/ATen.h>

#include <utility>

#include "fcm/ops/branches/op.h"
#include "fcm/ops/gather_rows/shared_table.h"

namespace fcm::ops {
namespace {

using Inputs = OpCase::Inputs;

constexpr double kEpsilon = 1e-6;

NormWeights norm_of(const Inputs& in) { return {in[1], in[2], kEpsilon}; }

// x, then weight and bias of the norm.
Inputs first_inputs(std::vector<int64_t> sizes, at::ScalarType dtype, uint64_t seed) {
  const int64_t channels = sizes.back();
  return {case_values(sizes, dtype, seed), case_values({channels}, dtype, seed + 1) + 1,
          case_values({channels}, dtype, seed + 2, 0.3)};
}

void add_product(Inputs& in, int64_t outputs, int64_t inputs, at::ScalarType dtype, uint64_t seed) {
  in.push_back(
      case_values({outputs, inputs}, dtype, seed, 0.7 / std::sqrt(static_cast<double>(inputs))));
  in.push_back(case_values({outputs}, dtype, seed + 1, 0.3));
}

at::Tensor scale_of(bool scaled, const Inputs& in) {
  if (!scaled) return {};
  return at::linspace(0, 2, in[0].size(0), in[0].options().requires_grad(false));
}

struct Sizes {
  std::vector<int64_t> x;
  int64_t hidden = 0, heads = 0;
  bool scaled = false;
  int64_t first = 0;  // first query token

  double rows() const {
    double count = 1;
    for (size_t i = 0; i + 1 < x.size(); ++i) count *= static_cast<double>(x[i]);
    return count;
  }
  double channels() const { return static_cast<double>(x.back()); }
};

OpCase mlp(std::string name, const Sizes& sizes) {
  OpCase result;
  result.name = "mlp_" + std::move(name);
  result.inputs = [sizes](at::ScalarType dtype, uint64_t seed) {
    Inputs in = first_inputs(sizes.x, dtype, seed);
    add_product(in, sizes.hidden, sizes.x.back(), dtype, seed + 3);
    add_product(in, sizes.x.back(), sizes.hidden, dtype, seed + 5);
    return in;
  };
  result.run = [sizes](const Inputs& in) {
    return mlp_branch(in[0], norm_of(in), {in[3], in[4]}, {in[5], in[6]},
                      scale_of(sizes.scaled, in));
  };
  result.reference = [sizes](const Inputs& in) {
    return mlp_branch_reference(in[0], norm_of(in), {in[3], in[4]}, {in[5], in[6]},
                                scale_of(sizes.scaled, in));
  };
  const auto hidden = static_cast<double>(sizes.hidden);
  result.forward_flops = sizes.rows() * (4 * sizes.channels() * hidden + 40 * hidden);
  result.forward_elements =
      sizes.rows() * (4 * sizes.channels() + 3 * hidden) + 2 * sizes.channels() * hidden;
  return result;
}

OpCase attention(std::string name, const Sizes& sizes) {
  OpCase result;
  result.name = "attention_" + std::move(name);
  result.inputs = [sizes](at::ScalarType dtype, uint64_t seed) {
    const int64_t channels = sizes.x.back();
    Inputs in = first_inputs(sizes.x, dtype, seed);
    add_product(in, 3 * channels, channels, dtype, seed + 3);
    add_product(in, channels, channels, dtype, seed + 5);
    return in;
  };
  result.run = [sizes](const Inputs& in) {
    return attention_branch(in[0], norm_of(in), {in[3], in[4]}, {in[5], in[6]}, sizes.heads,
                            scale_of(sizes.scaled, in), sizes.first);
  };
  result.reference = [sizes](const Inputs& in) {
    return attention_branch_reference(in[0], norm_of(in), {in[3], in[4]}, {in[5], in[6]},
                                      sizes.heads, scale_of(sizes.scaled, in), sizes.first);
  };
  const auto tokens = static_cast<double>(sizes.x[1]);
  const double channels = sizes.channels();
  result.forward_flops = sizes.rows() * (8 * channels * channels + 4 * tokens * channels);
  result.forward_elements = sizes.rows() * 12 * channels + 4 * channels * channels;
  return result;
}

OpCase attention_of_rows(std::string name, const SharedTable& table, int64_t channels,
                         int64_t heads, int64_t first = 0) {
  OpCase result;
  result.name = "attention_of_rows_" + std::move(name);
  result.inputs = [=](at::ScalarType dtype, uint64_t seed) {
    Inputs in = first_inputs({table.rows(), channels}, dtype, seed);
    add_product(in, 3 * channels, channels, dtype, seed + 3);
    add_product(in, channels, channels, dtype, seed + 5);
    in.push_back(table.indices_NT());
    return in;
  };
  result.run = [=](const Inputs& in) {
    return attention_branch_of_rows(in[0], in[7], norm_of(in), {in[3], in[4]}, {in[5], in[6]},
                                    heads, first);
  };
  result.reference = [=](const Inputs& in) {
    return attention_branch_of_rows_reference(in[0], in[7], norm_of(in), {in[3], in[4]},
                                              {in[5], in[6]}, heads, first);
  };
  const auto rows = static_cast<double>(table.rows()), width = static_cast<double>(channels),
             tokens = static_cast<double>(table.tokens),
             all = static_cast<double>(table.sequences) * tokens;
  result.forward_flops = 6 * rows * width * width + all * (2 * width * width + 4 * tokens * width);
  result.forward_elements = rows * 6 * width + all * 9 * width + 4 * width * width;
  return result;
}

// Windows of 3 x 3 over images of side x side tokens.
WindowSets windows_of(int64_t side) {
  std::vector<PlacedToken> tokens;
  for (int64_t i = 0; i < side * side; ++i) {
    const auto row = static_cast<int32_t>(i / side), col = static_cast<int32_t>(i % side);
    tokens.push_back({static_cast<int32_t>(i), row / 3 * 1000 + col / 3, row, col});
  }
  const std::vector<std::vector<PlacedToken>> images{tokens};
  return make_window_sets(images, 3);
}

// x: [B, side * side, C].
OpCase window_attention(std::string name, const Sizes& sizes, int64_t side) {
  const WindowSets sets = windows_of(side);
  OpCase result;
  result.name = "window_attention_" + std::move(name);
  result.inputs = [sizes, sets](at::ScalarType dtype, uint64_t seed) {
    const int64_t channels = sizes.x.back();
    Inputs in = first_inputs(sizes.x, dtype, seed);
    add_product(in, 3 * channels, channels, dtype, seed + 3);
    add_product(in, channels, channels, dtype, seed + 5);
    in.push_back(case_values({sets.table_rows, sizes.heads}, dtype, seed + 7));
    return in;
  };
  result.run = [sizes, sets](const Inputs& in) {
    return window_attention_branch(in[0], norm_of(in), {in[3], in[4]}, in[7], {in[5], in[6]},
                                   sets.to(in[0].device()), scale_of(sizes.scaled, in));
  };
  result.reference = [sizes, sets](const Inputs& in) {
    return window_attention_branch_reference(in[0], norm_of(in), {in[3], in[4]}, in[7],
                                             {in[5], in[6]}, sets.to(in[0].device()),
                                             scale_of(sizes.scaled, in));
  };
  const double channels = sizes.channels();
  result.forward_flops = sizes.rows() * (8 * channels * channels + 36 * channels);
  result.forward_elements = sizes.rows() * 12 * channels + 4 * channels * channels;
  return result;
}

// Images of `side` x `side` patches, each of which sees all its neighbours.
at::Tensor all_neighbours(int64_t batch, int64_t side) {
  at::Tensor table = at::full({batch, side * side, 9}, -1, at::kInt);
  auto near = table.accessor<int32_t, 3>();
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t slot = 0; slot < side * side; ++slot) {
      for (int64_t k = 0; k < 9; ++k) {
        const int64_t row = slot / side + k / 3 - 1, col = slot % side + k % 3 - 1;
        if (row < 0 || row >= side || col < 0 || col >= side) continue;
        near[b][slot][k] = static_cast<int32_t>(row * side + col);
      }
    }
  }
  return table;
}

// x: [B, side * side, 4 cells, C].
OpCase conv(std::string name, const Sizes& sizes, int64_t side) {
  const Cells cells{2, {0, 1, 2, 3}};
  OpCase result;
  result.name = "conv_" + std::move(name);
  result.inputs = [sizes, side](at::ScalarType dtype, uint64_t seed) {
    const int64_t channels = sizes.x.back();
    Inputs in = first_inputs(sizes.x, dtype, seed);
    add_product(in, channels, channels, dtype, seed + 3);
    in.push_back(case_values({25, channels}, dtype, seed + 5, 0.2));
    in.push_back(case_values({channels}, dtype, seed + 6, 0.3));
    add_product(in, channels, channels, dtype, seed + 7);
    in.push_back(all_neighbours(sizes.x[0], side));
    return in;
  };
  result.run = [=](const Inputs& in) {
    return conv_branch(in[0], norm_of(in), {in[3], in[4]}, {in[5], in[6]}, {in[7], in[8]}, in[9],
                       cells, scale_of(sizes.scaled, in));
  };
  result.reference = [=](const Inputs& in) {
    return conv_branch_reference(in[0], norm_of(in), {in[3], in[4]}, {in[5], in[6]}, {in[7], in[8]},
                                 in[9], cells, scale_of(sizes.scaled, in));
  };
  const double channels = sizes.channels();
  result.forward_flops = sizes.rows() * (4 * channels * channels + 50 * channels);
  result.forward_elements = sizes.rows() * 9 * channels + 2 * channels * channels;
  return result;
}

}  // namespace

OpCases branches_cases() {
  OpCases all{"branches", {}, {}};
  auto& cases = all.cases;
  cases.push_back(timed(mlp("base_stage3", {{16, 49, 768}, 3072})));
  cases.push_back(timed(mlp("base_decoder", {{8, 196, 512}, 2048})));
  cases.push_back(timed(attention("base_stage3", {{16, 49, 768}, 0, 12})));
  cases.push_back(timed(attention("base_decoder", {{8, 196, 512}, 0, 16})));
  cases.push_back(timed(attention_of_rows("base_decoder", {32, 49, 196, 196}, 512, 16)));
  cases.push_back(timed(conv("base_stage2", {{2, 196, 4, 384}}, 14)));
  cases.push_back(mlp("scaled", {{3, 7, 24}, 96, 0, true}));
  cases.push_back(mlp("no_images", {{0, 7, 24}, 96}));
  cases.push_back(attention("scaled", {{4, 9, 24}, 0, 3, true}));
  cases.push_back(attention("last_of_decoder", {{3, 196, 64}, 0, 2, false, 49}));
  cases.push_back(attention("one_query", {{2, 30, 24}, 0, 3, false, 29}));
  cases.push_back(attention("too_long_from_the_middle", {{1, 600, 16}, 0, 2, true, 300}));
  cases.push_back(attention("too_long_for_own_kernels", {{1, 600, 16}, 0, 2}));
  cases.push_back(attention_of_rows("several_views", {6, 9, 36, 36}, 24, 3));
  cases.push_back(attention_of_rows("hidden_tokens_are_queries", {6, 9, 36, 36}, 24, 3, 9));
  cases.push_back(attention_of_rows("unused_rows", {2, 3, 9, 40}, 24, 3));
  cases.push_back(attention_of_rows("too_long_for_own_kernels", {2, 150, 600, 600}, 16, 2, 150));
  cases.push_back(attention_of_rows("no_sequences", {0, 3, 9, 8}, 24, 3));
  cases.push_back(window_attention("several", {{3, 49, 24}, 0, 3}, 7));
  cases.push_back(window_attention("scaled", {{3, 36, 24}, 0, 3, true}, 6));
  cases.push_back(window_attention("too_wide_for_own_kernels", {{2, 9, 160}, 0, 1}, 3));
  cases.push_back(window_attention("no_images", {{0, 36, 24}, 0, 3}, 6));
  cases.push_back(conv("scaled", {{3, 9, 4, 24}, 0, 0, true}, 3));
  cases.push_back(conv("no_images", {{0, 9, 4, 24}}, 3));
  cases.push_back(by_differences(mlp("small", {{2, 3, 5}, 7})));
  cases.push_back(by_differences(mlp("small_scaled", {{2, 3, 5}, 7, 0, true})));
  cases.push_back(by_differences(attention("small", {{2, 3, 6}, 0, 2})));
  cases.push_back(by_differences(attention("small_scaled", {{2, 3, 6}, 0, 2, true})));
  cases.push_back(by_differences(attention("small_rest", {{2, 4, 6}, 0, 2, true, 2})));
  cases.push_back(by_differences(attention_of_rows("small", {3, 2, 5, 4}, 6, 2)));
  cases.push_back(by_differences(attention_of_rows("small_rest", {3, 2, 5, 4}, 6, 2, 2)));
  cases.push_back(by_differences(window_attention("small", {{2, 16, 6}, 0, 2}, 4)));
  cases.push_back(by_differences(window_attention("small_scaled", {{2, 9, 6}, 0, 2, true}, 3)));
  cases.push_back(by_differences(conv("small", {{2, 4, 4, 7}}, 2)));
  return all;
}

}  // namespace fcm::ops
