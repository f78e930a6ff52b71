// Encoders as classifiers need them: without the parts of pretraining, on all patches, with
// positions that are trained. What they compute in pretraining is tested in tests/models.
#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "fcm/base/error.h"
#include "fcm/encoder/encoder.h"
#include "tests/support/compare.h"

namespace fcm::encoder {
namespace {

constexpr masks::Grid kGrid{3, 4};

struct Built {
  Built(Kind kind, Ending ending, bool trainable_positions = false)
      : parameters(std::make_unique<nn::Parameters>(5, at::kDouble)) {
    const EncoderOptions options =
        kind == Kind::kVit
            ? EncoderOptions{"custom", {4}, {16}, {2}, 4, {2}}
            : EncoderOptions{"custom", {1, 2, 2}, {8, 12, 16}, {1, 1, 2}, 4, {2, 2, 2}};
    const nn::Scope scope(*parameters);
    const Embeddings embeddings = add_embeddings(scope, kind, 16, kGrid, trainable_positions);
    encoder = make_encoder(kind, scope, options, 3, embeddings, ending);
    parameters->flatten();
    at::manual_seed(1);
    pixels =
        at::randn({2, 12, kind == Kind::kVit ? 1 : 16, kind == Kind::kVit ? 48 : 3}, at::kDouble);
  }

  Features features() const { return (*encoder)(pixels, masks::full_plan(2, kGrid)); }
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const nn::Parameter& parameter : parameters->all()) names.push_back(parameter.name);
    return names;
  }

  std::unique_ptr<nn::Parameters> parameters;
  std::unique_ptr<Encoder> encoder;
  at::Tensor pixels;
};

bool is_fuse(const std::string& name) { return name.find("output_decode") != std::string::npos; }
bool is_norm(const std::string& name) { return name.starts_with("norm."); }

class Endings : public testing::TestWithParam<Kind> {};

// Published order, less what is missing.
TEST_P(Endings, BringTheirParametersAlone) {
  const std::vector<std::string> all = Built(GetParam(), Ending::kPretraining).names();
  std::vector<std::string> with_norm, with_nothing;
  for (const std::string& name : all) {
    if (!is_fuse(name)) with_norm.push_back(name);
    if (!is_fuse(name) && !is_norm(name)) with_nothing.push_back(name);
  }
  EXPECT_EQ(all.size() - with_norm.size(), GetParam() == Kind::kVit ? 0u : 4u);
  EXPECT_EQ(with_norm.size() - with_nothing.size(), 2u);
  EXPECT_EQ(Built(GetParam(), Ending::kNorm).names(), with_norm);
  EXPECT_EQ(Built(GetParam(), Ending::kNothing).names(), with_nothing);
}

// Start values belong to names, so all three have the same blocks.
TEST_P(Endings, ChangeNothingBeforeThem) {
  const Features full = Built(GetParam(), Ending::kPretraining).features();
  const Features norm = Built(GetParam(), Ending::kNorm).features();
  const Features nothing = Built(GetParam(), Ending::kNothing).features();
  EXPECT_TRUE(test::same_bits(norm.tokens_BKC, full.tokens_BKC));
  EXPECT_TRUE(test::same_bits(nothing.tokens_BKC, full.tokens_BKC));
  EXPECT_FALSE(nothing.latent_BKC.defined());
  EXPECT_FALSE(nothing.class_latents_BGC.defined());
  const at::Tensor plain = at::layer_norm(norm.tokens_BKC, {16}, {}, {}, 1e-6);
  EXPECT_EQ(test::compare(norm.latent_BKC, plain, 1e-12).description, "");
  const bool fused = GetParam() == Kind::kConvVit;
  EXPECT_EQ(test::compare(full.latent_BKC, plain, 1e-3).description != "", fused);
}

TEST_P(Endings, TrainedPositionsGetGradientsInTheFlatBuffer) {
  const Built built(GetParam(), Ending::kNothing, /*trainable_positions=*/true);
  const nn::Parameter& positions = built.parameters->find("pos_embed");
  ASSERT_TRUE(positions.trainable);
  const Features features = built.features();
  at::Tensor sum = features.tokens_BKC.square().sum();
  if (features.class_tokens_BGC.defined()) sum = sum + features.class_tokens_BGC.square().sum();
  torch::autograd::backward({sum}, {});
  EXPECT_GT(positions.value.grad().abs().amax(-1).min().item<double>(), 0) << "every row";
  // The encoder reads the values that an optimizer changes.
  const at::Tensor before = features.tokens_BKC.detach();
  at::NoGradGuard no_grad;
  at::Tensor values = positions.value;
  values.add_(at::arange(16, at::kDouble));
  EXPECT_NE(test::compare(built.features().tokens_BKC, before, 1e-3).description, "");
}

INSTANTIATE_TEST_SUITE_P(Kinds, Endings, testing::Values(Kind::kConvVit, Kind::kVit),
                         [](const auto& instance) {
                           return instance.param == Kind::kVit ? "Vit" : "ConvVit";
                         });

TEST(Vit, GivesTheClassTokenApartFromThePatches) {
  const Built built(Kind::kVit, Ending::kPretraining);
  const Features features = built.features();
  EXPECT_EQ(features.tokens_BKC.sizes(), (std::vector<int64_t>{2, 12, 16}));
  EXPECT_EQ(features.latent_BKC.sizes(), (std::vector<int64_t>{2, 12, 16}));
  EXPECT_EQ(features.class_tokens_BGC.sizes(), (std::vector<int64_t>{2, 1, 16}));
  EXPECT_EQ(features.class_latents_BGC.sizes(), (std::vector<int64_t>{2, 1, 16}));
  EXPECT_FALSE(Built(Kind::kConvVit, Ending::kPretraining).features().class_tokens_BGC.defined());
}

TEST(Kinds, HaveNames) {
  EXPECT_EQ(kind_named("conv_vit"), Kind::kConvVit);
  EXPECT_EQ(kind_named("vit"), Kind::kVit);
  EXPECT_THROW(kind_named("swin"), Error);
}

}  // namespace
}  // namespace fcm::encoder
