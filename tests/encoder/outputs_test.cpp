// Tests the optional outputs of encoders: latents with and without fused stages, the maps of all
// stages, tokens alone. tests/models compares the values of the outputs that pretraining uses.
#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <map>

#include "fcm/base/error.h"
#include "fcm/ops/patches.h"
#include "tests/encoder/small_encoder.h"
#include "tests/support/compare.h"

namespace fcm::encoder {
namespace {

constexpr Outputs kPretraining{.norm = true, .fuse = true};
constexpr Outputs kNorm{.norm = true};
constexpr Outputs kTokens{};

bool is_fuse(const std::string& name) { return name.find("output_decode") != std::string::npos; }
bool is_norm(const std::string& name) { return name.starts_with("norm."); }

class EncoderOutputs : public testing::TestWithParam<std::string> {};

// Parameters are in upstream's order; those of omitted outputs are absent.
TEST_P(EncoderOutputs, BringTheirParametersAlone) {
  const std::vector<std::string> all = Built(GetParam(), kPretraining).names();
  std::vector<std::string> with_norm, with_nothing;
  for (const std::string& name : all) {
    if (!is_fuse(name)) with_norm.push_back(name);
    if (!is_fuse(name) && !is_norm(name)) with_nothing.push_back(name);
  }
  EXPECT_EQ(all.size() - with_norm.size(), GetParam() == "conv_vit" ? 4u : 0u);
  EXPECT_EQ(with_norm.size() - with_nothing.size(), 2u);
  EXPECT_EQ(Built(GetParam(), kNorm).names(), with_norm);
  EXPECT_EQ(Built(GetParam(), kTokens).names(), with_nothing);
  EXPECT_EQ(Built(GetParam(), {.stages = true}).names(), with_nothing);
}

// Omitting outputs does not change the tokens. (Initial values depend on names, so all variants
// have the same blocks.)
TEST_P(EncoderOutputs, ChangeNothingBeforeThem) {
  const Features full = Built(GetParam(), kPretraining).features();
  const Features norm = Built(GetParam(), kNorm).features();
  const Features nothing = Built(GetParam(), kTokens).features();
  EXPECT_TRUE(test::same_bits(norm.tokens_BKC, full.tokens_BKC));
  EXPECT_TRUE(test::same_bits(nothing.tokens_BKC, full.tokens_BKC));
  EXPECT_FALSE(nothing.latent_BKC.defined());
  EXPECT_FALSE(nothing.class_latents_BGC.defined());
  const at::Tensor plain = at::layer_norm(norm.tokens_BKC, {16}, {}, {}, 1e-6);
  EXPECT_EQ(test::compare(norm.latent_BKC, plain, 1e-12).description, "");
  const bool fused = GetParam() == "conv_vit";
  EXPECT_EQ(test::compare(full.latent_BKC, plain, 1e-3).description != "", fused);
}

TEST_P(EncoderOutputs, FusedStagesNeedANorm) {
  EXPECT_THROW(Built(GetParam(), {.fuse = true}), std::logic_error);
}

// The map of each stage has the cells and the width of this stage, and the last map is the tokens.
// Maps share the memory of the tensors that the observer gets.
TEST_P(EncoderOutputs, StagesAreThereWhenAskedForAlone) {
  EXPECT_TRUE(Built(GetParam(), kPretraining).features().stages_BKPC.empty());
  const Built built(GetParam(), {.norm = true, .fuse = true, .stages = true});
  std::map<std::string, at::Tensor> shown;
  const Features features = (*built.encoder)(
      built.pixels, masks::full_plan(2, kGrid),
      [&](const std::string& name, const at::Tensor& value) { shown[name] = value; });
  EXPECT_TRUE(
      test::same_bits(features.latent_BKC, Built(GetParam(), kPretraining).features().latent_BKC));
  const EncoderOptions options = small_options(GetParam());
  const ops::PatchGeometry geometry{options.strides};
  ASSERT_EQ(features.stages_BKPC.size(), options.dims.size());
  for (size_t stage = 0; stage < features.stages_BKPC.size(); ++stage) {
    const int64_t cells = geometry.cells(static_cast<int64_t>(stage)).count();
    EXPECT_EQ(features.stages_BKPC[stage].sizes(),
              (std::vector<int64_t>{2, 12, cells, options.dims[stage]}));
  }
  const at::Tensor& last = features.stages_BKPC.back();
  EXPECT_TRUE(last.is_alias_of(features.tokens_BKC));
  EXPECT_TRUE(test::same_bits(last.squeeze(2), features.tokens_BKC));
  if (GetParam() != "conv_vit") return;
  EXPECT_TRUE(features.stages_BKPC[0].is_same(shown.at("blocks1.0")));
  EXPECT_TRUE(features.stages_BKPC[1].is_same(shown.at("blocks2.0")));
}

// The gradient of a stage's map reaches the layers before it and none after it.
TEST(ConvVit, GradientsFlowOutOfEveryStage) {
  const Built built("conv_vit", {.stages = true});
  const auto reached = [&](size_t stage, const char* name) {
    built.parameters->flat_gradients().zero_();
    torch::autograd::backward({built.features().stages_BKPC[stage].square().sum()}, {});
    return built.parameters->find(name).value.grad().abs().max().item<double>() > 0;
  };
  EXPECT_TRUE(reached(0, "blocks1.0.mlp.fc2.weight"));
  EXPECT_FALSE(reached(0, "patch_embed2.proj.weight"));
  EXPECT_TRUE(reached(1, "blocks2.0.mlp.fc2.weight"));
  EXPECT_FALSE(reached(1, "patch_embed3.proj.weight"));
  EXPECT_TRUE(reached(2, "blocks3.1.mlp.fc2.weight"));
}

TEST_P(EncoderOutputs, TrainedPositionsGetGradientsInTheFlatBuffer) {
  if (!family(GetParam()).positions) GTEST_SKIP() << "has no position table";
  const Built built(GetParam(), kTokens, /*trainable_positions=*/true);
  const nn::Parameter& positions = built.parameters->find("pos_embed");
  ASSERT_TRUE(positions.trainable);
  const Features features = built.features();
  at::Tensor sum = features.tokens_BKC.square().sum();
  if (features.class_tokens_BGC.defined()) sum = sum + features.class_tokens_BGC.square().sum();
  torch::autograd::backward({sum}, {});
  EXPECT_GT(positions.value.grad().abs().amax(-1).min().item<double>(), 0)
      << "every row must have a gradient";
  // The encoder must read the table itself, because an optimizer changes it in place.
  const at::Tensor before = features.tokens_BKC.detach();
  at::NoGradGuard no_grad;
  at::Tensor values = positions.value;
  values.add_(at::arange(16, at::kDouble));
  EXPECT_NE(test::compare(built.features().tokens_BKC, before, 1e-3).description, "");
}

INSTANTIATE_TEST_SUITE_P(Kinds, EncoderOutputs, testing::ValuesIn(kinds()),
                         [](const auto& instance) { return instance.param; });

TEST(Vit, GivesTheClassTokenApartFromThePatches) {
  const Features features = Built("vit", kPretraining).features();
  EXPECT_EQ(features.tokens_BKC.sizes(), (std::vector<int64_t>{2, 12, 16}));
  EXPECT_EQ(features.latent_BKC.sizes(), (std::vector<int64_t>{2, 12, 16}));
  EXPECT_EQ(features.class_tokens_BGC.sizes(), (std::vector<int64_t>{2, 1, 16}));
  EXPECT_EQ(features.class_latents_BGC.sizes(), (std::vector<int64_t>{2, 1, 16}));
  EXPECT_FALSE(Built("conv_vit", kPretraining).features().class_tokens_BGC.defined());
}

}  // namespace
}  // namespace fcm::encoder
