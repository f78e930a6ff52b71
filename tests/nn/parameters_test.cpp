#include "fcm/nn/parameters.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "fcm/nn/layers.h"

namespace fcm::nn {
namespace {

TEST(Layout, EveryKindGoesThereAndBack) {
  at::manual_seed(1);
  const auto round_trip = [](const at::Tensor& published, const Layout& layout) {
    const at::Tensor held = to_held(published, layout);
    EXPECT_TRUE(to_published(held, layout, published.sizes()).equal(published));
    return held;
  };
  round_trip(at::randn({5, 3, 2, 2}), {Layout::Kind::kSame, {}, 1});
  const at::Tensor merged = at::randn({5, 3, 2, 2});
  const at::Tensor held = round_trip(merged, {Layout::Kind::kMergeCells, {0, 2, 1, 3}, 1});
  EXPECT_EQ(held[4][3 + 1].item<float>(), merged[4][1][1][0].item<float>());
  const at::Tensor taps = at::randn({7, 1, 5, 5});
  EXPECT_EQ(round_trip(taps, {Layout::Kind::kTaps, {}, 1})[13][6].item<float>(),
            taps[6][0][2][3].item<float>());
  const at::Tensor rows = at::randn({6, 4});
  EXPECT_TRUE(round_trip(rows, {Layout::Kind::kRows, {2, 0, 1}, 2})[1].equal(rows[5]));
  round_trip(at::randn({6}), {Layout::Kind::kRows, {2, 0, 1}, 2});
}

TEST(Parameters, ValuesDependOnSeedAndNameOnly) {
  Parameters first(7, at::kFloat), second(7, at::kFloat), other(8, at::kFloat);
  first.add("before", {3}, Init::kFanIn, {}, 3);
  first.add("weight", {8, 4}, Init::kXavierUniform);
  second.add("weight", {8, 4}, Init::kXavierUniform);
  other.add("weight", {8, 4}, Init::kXavierUniform);
  EXPECT_TRUE(first.find("weight").value.equal(second.find("weight").value));
  EXPECT_FALSE(first.find("weight").value.equal(other.find("weight").value));
}

TEST(Parameters, NormalStartValuesAreCutOff) {
  Parameters parameters(7, at::kDouble);
  const at::Tensor near = parameters.add("near", {200, 100}, Init::kTruncatedNormal02),
                   wide = parameters.add("wide", {200, 25, 2, 2}, Init::kLecunNormal);
  EXPECT_LE(near.abs().max().item<double>(), 0.02 * (1 + 1e-6));
  // A normal variable truncated at one std has variance 1 - 2 phi(1) / (2 Phi(1) - 1) = 0.29112.
  EXPECT_NEAR(near.std().item<double>() / 0.02, std::sqrt(0.29112), 0.01);
  EXPECT_NEAR(wide.std().item<double>(), 0.1, 0.002);  // 1 / sqrt(100)
  EXPECT_LE(wide.abs().max().item<double>(), 2 * 0.1 / 0.8796 * (1 + 1e-3));
  EXPECT_GT(wide.abs().max().item<double>(), 0.2);
}

TEST(Parameters, FlatBuffersAreWhatAutogradReadsAndWrites) {
  Parameters parameters(7, at::kFloat);
  const Linear layer(Scope(parameters) / "layer", 3, 2);
  parameters.flatten();
  const at::Tensor x = at::ones({1, 3});
  torch::autograd::backward({layer(x).sum()}, {});
  EXPECT_TRUE(parameters.flat_gradients().equal(at::ones({8})));
  torch::autograd::backward({layer(x).sum()}, {});  // accumulates in the flat buffer
  EXPECT_TRUE(parameters.flat_gradients().equal(at::full({8}, 2.0)));
  at::Tensor values = parameters.flat_values();
  values.fill_(0.5);
  EXPECT_NEAR(layer(x)[0][0].item<float>(), 2.0, 1e-6);
}

TEST(Parameters, RoundedCopiesAreThoseOfTheLastRounding) {
  Parameters parameters(7, at::kFloat);
  const Linear layer(Scope(parameters) / "layer", 3, 2);
  parameters.add_table("frozen", at::ones({4}), /*trainable=*/false);
  parameters.flatten();
  const Parameter& weight = parameters.find("layer.weight");
  parameters.round(at::kFloat);
  EXPECT_EQ(weight.rounded.numel(), 0);
  parameters.round(at::kBFloat16);
  EXPECT_TRUE(weight.rounded.equal(weight.value.to(at::kBFloat16)));
  EXPECT_EQ(parameters.find("frozen").rounded.numel(), 0);

  const at::Tensor x = at::ones({1, 3}, at::kBFloat16);
  parameters.flat_values().fill_(0.5);
  EXPECT_NE(layer(x)[0][0].item<float>(), 2.0F) << "the layer must use the rounded copy";
  parameters.round(at::kBFloat16);
  EXPECT_EQ(layer(x)[0][0].item<float>(), 2.0F);
  EXPECT_TRUE(weight.rounded.equal(at::full({2, 3}, 0.5, at::kBFloat16)));
}

TEST(Sincos, MatchesPublishedEntries) {
  const at::Tensor table = sincos_positions(14, 14, 768)[0];
  const auto at_29 = [&](int64_t i) { return table[29][i].item<float>(); };
  EXPECT_NEAR(at_29(0), 0.841471, 1e-6);
  EXPECT_NEAR(at_29(1), 0.815251, 1e-6);
  EXPECT_NEAR(at_29(192), 0.540302, 1e-6);
  EXPECT_NEAR(at_29(384), 0.909297, 1e-6);
  EXPECT_NEAR(at_29(385), 0.944237, 1e-6);
  EXPECT_NEAR(at_29(576), -0.416147, 1e-6);
  EXPECT_NEAR(table[195][192].item<float>(), 0.907447, 1e-6);
  EXPECT_NEAR(table.sum(at::kDouble).item<double>(), 69594.494, 2e-3);
  EXPECT_NEAR(sincos_positions(14, 14, 512).sum(at::kDouble).item<double>(), 46340.333, 2e-3);
}

}  // namespace
}  // namespace fcm::nn
