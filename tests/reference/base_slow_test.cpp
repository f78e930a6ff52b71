// The published model at its real size, 115 million weights, against samples stored from the
// published programs: what a small model cannot show (many heads, deep stacks, large sums).
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/reference/golden.h"

namespace fcm::reference {
namespace {

// Channels: half for the column, half for the row; of each half, sines then cosines. [1, L, width]
at::Tensor sincos_table(int64_t rows, int64_t cols, int64_t width) {
  const int64_t waves = width / 4;
  const at::Tensor frequency =
      at::pow(10000.0, at::arange(waves, at::kDouble) / -static_cast<double>(waves));
  const auto half = [&](const at::Tensor& position) {
    const at::Tensor angle = position.to(at::kDouble).unsqueeze(1) * frequency;
    return at::cat({angle.sin(), angle.cos()}, 1);
  };
  const at::Tensor patch = at::arange(rows * cols);
  return at::cat({half(patch.remainder(cols)), half(patch.div(cols, "floor"))}, 1)
      .to(at::kFloat)
      .unsqueeze(0);
}

TEST(SincosTable, IsThePublishedOne) {
  if (!have_fixtures()) GTEST_SKIP() << "no golden tensors at " << fixture("");
  const auto golden = test::read_safetensors(fixture("sincos.safetensors"));
  const at::Tensor table = sincos_table(14, 14, 768);
  const at::Tensor sample = table.flatten().index_select(0, golden.at("sincos.d768.g14.idx"));
  EXPECT_LE((sample - golden.at("sincos.d768.g14.val")).abs().max().item<double>(), 1e-7);
  EXPECT_NEAR(table.sum(at::kDouble).item<double>(), 69594.494, 1e-3);
}

struct Model {
  std::string name;
  int64_t kept_views;
  size_t trainable;  // tensors
  ReferenceOptions options;
};

ReferenceOptions vit_base() {
  ReferenceOptions options;
  options.kind = Kind::kVit;
  options.strides = {16};
  options.dims = {768};
  options.depths = {12};
  options.mlp_ratios = {4};
  return options;
}

// A row of zeros in front where there is a class token.
at::Tensor position_table(const std::vector<int64_t>& shape) {
  const at::Tensor table = sincos_table(14, 14, shape[2]);
  return shape[1] == 196 ? table : at::cat({at::zeros({1, 1, shape[2]}), table}, 1);
}

std::ostream& operator<<(std::ostream& out, const Model& model) { return out << model.name; }

class Base : public testing::TestWithParam<Model> {};

TEST_P(Base, LossOutputsAndGradientSamples) {
  const std::string file = GetParam().name + ".golden.safetensors";
  if (!have_fixtures()) GTEST_SKIP() << "no golden tensors at " << fixture("");
  const nlohmann::json entry = manifest_entry(file);
  const auto golden = test::read_safetensors(fixture(file));
  const double outputs =
      10 * entry.at("errors_fp32_vs_fp64").at("max_rel_to_tensor_max").get<double>();
  const double gradients =
      10 * entry.at("errors_fp32_vs_fp64_grads").at("max_rel_to_tensor_max").get<double>();

  const ReferenceOptions& options = GetParam().options;
  const uint64_t seed = entry.at("weight_seed");
  Weights weights;
  for (const auto& [name, shape] : expected_names_and_shapes(options)) {
    weights[name] =
        is_position_table(name) ? position_table(shape) : test::procedural(name, seed, shape);
    weights[name].requires_grad_(!is_position_table(name));
  }
  const ReferenceResult result =
      forward(weights, options, test::procedural("images", seed, {2, 3, 224, 224}),
              test::procedural("noise", seed, {2, 196}), {49, 49, 49, 49}, GetParam().kept_views);
  const double loss = golden.at("loss.norm_pix").item<double>();
  EXPECT_NEAR(result.loss.item<double>(), loss, 1e-6 * loss);
  EXPECT_TRUE(at::cat(result.masks).equal(golden.at("mask")));

  const auto sampled = [&](const std::string& name, const std::vector<at::Tensor>& views) {
    const at::Tensor all = at::cat(views).detach();
    const at::Tensor sample = all.flatten().index_select(0, golden.at(name + "_idx"));
    EXPECT_LE((sample - golden.at(name + "_val")).abs().max().item<double>(),
              outputs * all.abs().max().item<double>())
        << name;
    const double norm = golden.at(name + "_l2").item<double>();
    EXPECT_NEAR(all.to(at::kDouble).norm().item<double>(), norm, outputs * norm) << name;
  };
  sampled("latent", result.latents);
  sampled("pred", result.predictions);

  result.loss.backward();
  const std::vector<std::string> names = entry.at("trainable");
  ASSERT_EQ(names.size(), GetParam().trainable);
  for (size_t i = 0; i < names.size(); ++i) {
    const auto row = static_cast<int64_t>(i);
    at::Tensor gradient = weights.at(names[i]).grad().clone();
    if (names[i].ends_with("attn.qkv.bias")) {  // zero but for rounding
      gradient.narrow(0, gradient.size(0) / 3, gradient.size(0) / 3).zero_();
    }
    const double norm = golden.at("norm_pix.grad_l2")[row].item<double>();
    EXPECT_NEAR(gradient.to(at::kDouble).norm().item<double>(), norm, gradients * norm) << names[i];
    const double largest = golden.at("norm_pix.grad_absmax")[row].item<double>();
    EXPECT_NEAR(gradient.abs().max().item<double>(), largest, gradients * largest) << names[i];
    const at::Tensor sample =
        gradient.flatten().index_select(0, golden.at("norm_pix.grad_idx")[row]);
    EXPECT_LE((sample - golden.at("norm_pix.grad_val")[row]).abs().max().item<double>(),
              gradients * largest)
        << names[i];
  }
}

INSTANTIATE_TEST_SUITE_P(Published, Base,
                         testing::Values(Model{"fastconvmae_base", 4, 311, {}},
                                         Model{"convmae_base", 1, 311, {}},
                                         Model{"mae_vitb", 1, 252, vit_base()}),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace fcm::reference
