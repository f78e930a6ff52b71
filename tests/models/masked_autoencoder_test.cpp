// Compares the fast model with the reference in float64.
#include "fcm/models/masked_autoencoder.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <functional>

#include "tests/models/small_model.h"
#include "tests/support/compare.h"

namespace fcm::models {
namespace {

// Removes the first edge between two patches, in both directions.
void cut_one_edge(masks::ViewPlan& plan) {
  auto edges = plan.neighbours_BL9.accessor<int32_t, 3>();
  for (int64_t slot = 0; slot < plan.patches(); ++slot) {
    for (int64_t around = 0; around < 4; ++around) {
      const int32_t near = edges[0][slot][around];
      if (near < 0) continue;
      edges[0][slot][around] = -1;
      edges[0][near][8 - around] = -1;
      return;
    }
  }
  FAIL() << "no two patches are neighbours";
}

struct PretrainComparison {
  double loss = 0, loss_reference = 0;
  double worst_gradient = 0;  // largest error relative to the tensor's largest value
  std::string worst_name;
};

// Swaps two patches of different views in the order only, so that both have wrong positions.
void swap_two_patches(masks::ViewPlan& plan) {
  auto order = plan.order_BL.accessor<int64_t, 2>();
  std::swap(order[0][0], order[0][plan.patches() - 1]);
}

using Mistake = std::function<void(masks::ViewPlan&)>;

PretrainComparison compare_losses(const Setting& setting, const Mistake& mistake = {}) {
  const test::OneThread quiet;
  at::manual_seed(3);
  const AutoencoderOptions options = small_options(setting);
  MaskedAutoencoder model(options, 11, at::kDouble);
  perturb(model);
  const masks::MaskOptions mask_options{setting.ratio, {setting.kept}};
  const auto sizes = masks::view_sizes(model.grid().patches(), mask_options);
  const int64_t kept = masks::kept_views(sizes, mask_options);
  const at::Tensor noise = at::rand({2, model.grid().patches()}, at::kDouble);
  const at::Tensor images =
      at::randn({2, options.channels, options.rows, options.cols}, at::kDouble);

  masks::ViewPlan plan = masks::plan_from_noise(noise, model.grid(), sizes, kept);
  const at::Tensor pixels = ops::patchify_normalised(images, plan.order_BL, model.geometry());
  if (mistake) mistake(plan);
  const auto result = model.forward(pixels, plan, at::kDouble);
  torch::autograd::backward({result.loss}, {});

  const reference::Weights weights = published_weights(model);
  const auto wanted =
      reference::forward(weights, reference_options(options), images, noise, sizes, kept);
  torch::autograd::backward({wanted.loss}, {});

  PretrainComparison comparison{result.loss.item<double>(), wanted.loss.item<double>(), 0, ""};
  for (const nn::Parameter& parameter : model.parameters().all()) {
    if (!parameter.trainable) continue;
    const at::Tensor gradient =
        nn::to_published(parameter.value.grad(), parameter.layout, parameter.published_shape);
    const at::Tensor want = weights.at(parameter.name).grad();
    // Errors are relative to the largest value of the whole tensor, because the gradient of the
    // keys' third of a qkv bias is only rounding noise.
    const double error = (gradient - want).abs().max().item<double>() /
                         std::max(want.abs().max().item<double>(), 1e-12);
    if (error > comparison.worst_gradient) {
      comparison.worst_gradient = error;
      comparison.worst_name = parameter.name;
    }
  }
  return comparison;
}

class EqualsThePublishedForm : public ::testing::TestWithParam<Setting> {};

TEST_P(EqualsThePublishedForm, LossAndEveryGradient) {
  const PretrainComparison comparison = compare_losses(GetParam());
  EXPECT_NEAR(comparison.loss, comparison.loss_reference, 1e-13 * comparison.loss_reference);
  EXPECT_LT(comparison.worst_gradient, 1e-11) << comparison.worst_name;
}

INSTANTIATE_TEST_SUITE_P(Grids, EqualsThePublishedForm,
                         ::testing::Values(Setting{"four_views", {2, 2, 2}, 4, 4, 0.75, 0},
                                           Setting{"published_strides", {4, 2, 2}, 4, 4, 0.75, 0},
                                           Setting{"two_views", {2, 2, 2}, 4, 4, 0.5, 0},
                                           Setting{"eight_views", {1, 2, 2}, 4, 4, 0.875, 0},
                                           Setting{"unequal_views", {2, 2, 2}, 5, 3, 0.75, 0},
                                           Setting{"unequal_wide", {2, 2, 3}, 2, 5, 0.66, 0},
                                           Setting{"one_kept_view", {2, 2, 2}, 4, 4, 0.75, 1},
                                           Setting{"two_of_four_kept", {2, 2, 2}, 6, 4, 0.75, 2},
                                           Setting{
                                               "three_of_unequal_kept", {2, 2, 2}, 5, 3, 0.75, 3},
                                           Setting{"vit_four_views", {8}, 4, 4, 0.75, 0},
                                           Setting{"vit_one_kept_view", {8}, 4, 4, 0.75, 1},
                                           Setting{"vit_two_views", {7}, 3, 6, 0.5, 0},
                                           Setting{"vit_unequal_views", {4}, 5, 3, 0.75, 0},
                                           Setting{"vit_three_of_unequal", {4}, 5, 3, 0.75, 3},
                                           Setting{"vit_grey", {4}, 2, 6, 0.66, 0, true, 1},
                                           Setting{"vit_plain_pixels", {4}, 4, 4, 0.75, 0, false},
                                           Setting{"plain_pixels", {2, 2, 2}, 4, 4, 0.75, 0, false},
                                           Setting{"grey", {2, 2, 2}, 4, 4, 0.75, 0, true, 1}),
                         [](const auto& tested) { return tested.param.name; });

TEST(MaskedAutoencoder, OneWrongNeighbourIsNoticed) {
  const PretrainComparison comparison =
      compare_losses({"four_views", {2, 2, 2}, 4, 4, 0.75, 0}, cut_one_edge);
  EXPECT_GT(std::abs(comparison.loss - comparison.loss_reference), 1e-7);
  EXPECT_GT(comparison.worst_gradient, 1e-5);
}

// Negative control for encoders without edges: the comparison detects swapped patches.
TEST(MaskedAutoencoder, APatchInTheWrongPlaceIsNoticed) {
  const PretrainComparison comparison = compare_losses({"", {8}, 4, 4, 0.75, 0}, swap_two_patches);
  EXPECT_GT(std::abs(comparison.loss - comparison.loss_reference), 1e-7);
  EXPECT_GT(comparison.worst_gradient, 1e-5);
}

// Numbers of upstream: all tensors, tensors and elements without weight decay, trainable elements.
struct Counted {
  size_t tensors, tensors_without_decay;
  int64_t elements_without_decay, trainable_elements;
};

void expect_published_parameters(const AutoencoderOptions& options, const Counted& wanted) {
  const MaskedAutoencoder model(options, 0);
  const auto expected = reference::expected_names_and_shapes(reference_options(options));
  ASSERT_EQ(model.parameters().all().size(), wanted.tensors);
  ASSERT_EQ(expected.size(), wanted.tensors);
  size_t tensors_without_decay = 0;
  int64_t elements_without_decay = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const nn::Parameter& parameter = model.parameters().all()[i];
    EXPECT_EQ(parameter.name, expected[i].first);
    EXPECT_EQ(parameter.published_shape, expected[i].second) << parameter.name;
    if (!parameter.trainable || parameter.decays()) continue;
    ++tensors_without_decay;
    elements_without_decay += parameter.value.numel();
  }
  EXPECT_EQ(tensors_without_decay, wanted.tensors_without_decay);
  EXPECT_EQ(elements_without_decay, wanted.elements_without_decay);
  EXPECT_EQ(model.parameters().trainable_elements(), wanted.trainable_elements);
}

TEST(MaskedAutoencoder, BaseModelHasThePublishedParameters) {
  AutoencoderOptions options;
  options.encoder = encoder::named_size("conv_vit", "base");
  expect_published_parameters(options, {313, 206, 188800, 114790528});
}

TEST(MaskedAutoencoder, BaseVitHasThePublishedParameters) {
  AutoencoderOptions options;
  options.kind = "vit";
  options.encoder = encoder::named_size(options.kind, "base");
  expect_published_parameters(options, {254, 167, 177664, 111655680});
}

TEST(MaskedAutoencoder, StartValuesOfTheVitFollowThePublishedRules) {
  AutoencoderOptions options;
  options.kind = "vit";
  options.encoder = {"custom", {16}, {768}, {1}, 12, {4}};
  const MaskedAutoencoder model(options, 0);
  const auto value = [&](const char* name) { return model.parameters().find(name).value; };
  EXPECT_NEAR(value("cls_token").std().item<double>(), 0.02, 2e-3);
  EXPECT_NEAR(value("mask_token").std().item<double>(), 0.02, 3e-3);
  const double xavier = std::sqrt(6.0 / (768 + 768));
  EXPECT_NEAR(value("patch_embed.proj.weight").abs().max().item<double>(), xavier, 1e-4);
  EXPECT_NEAR(value("patch_embed.proj.bias").abs().max().item<double>(), 1 / std::sqrt(768.0),
              1e-3);
  for (const char* table : {"pos_embed", "decoder_pos_embed"}) {
    EXPECT_FALSE(model.parameters().find(table).trainable) << table;
    EXPECT_EQ(value(table).size(1), 197) << table;
    EXPECT_EQ(value(table)[0][0].abs().max().item<double>(), 0) << table;
    EXPECT_EQ(value(table)[0][1][0].item<double>(), 0) << table;  // the sine of column 0
    EXPECT_NEAR(value(table)[0][2][0].item<double>(), std::sin(1.0), 1e-7) << table;
  }
}

TEST(MaskedAutoencoder, StartValuesFollowThePublishedRules) {
  AutoencoderOptions options;
  options.encoder = encoder::named_size("conv_vit", "base");
  const MaskedAutoencoder model(options, 0);
  const auto largest = [&](const char* name) {
    return model.parameters().find(name).value.abs().max().item<double>();
  };
  EXPECT_NEAR(largest("blocks3.0.attn.qkv.weight"), std::sqrt(6.0 / (768 + 2304)), 1e-4);
  EXPECT_NEAR(largest("patch_embed3.proj.weight"), std::sqrt(6.0 / (768 + 1536)), 1e-4);
  EXPECT_NEAR(largest("blocks1.0.attn.weight"), 1.0 / 5, 1e-3);
  EXPECT_NEAR(largest("blocks1.0.conv1.bias"), 1.0 / 16, 1e-2);
  EXPECT_EQ(largest("blocks3.0.attn.qkv.bias"), 0);
  EXPECT_EQ(largest("decoder_norm.bias"), 0);
  EXPECT_NEAR(model.parameters().find("mask_token").value.std().item<double>(), 0.02, 3e-3);
}

TEST(MaskedAutoencoder, InitialLossIsNearTheExpectedOne) {
  // Initial predictions have the variance 2 * 512 / (512 + 768), and targets the mean square
  // 767/768. The expected loss is their sum.
  AutoencoderOptions options;
  options.encoder = {"custom", {4, 2, 2}, {16, 24, 64}, {1, 1, 1}, 4, {4, 4, 4}};
  options.decoder = {512, 1, 16, 4.0};
  options.rows = options.cols = 64;
  MaskedAutoencoder model(options, 1);
  at::manual_seed(1);
  const std::vector<int64_t> ids{1, 2, 3, 4};
  const masks::ViewPlan plan = masks::plan_for_samples(ids, 1, 0, model.grid(), {});
  const at::Tensor pixels =
      ops::patchify_normalised(at::randn({4, 3, 64, 64}), plan.order_BL, model.geometry());
  const double loss = model.forward(pixels, plan, at::kFloat).loss.item<double>();
  EXPECT_NEAR(loss, 1.8, 0.15);
}

// `seen` is a result that must depend only on view 1, the slots 4 to 7 of pixels [1, 16, ...].
void expect_gradients_in_view_1_alone(const at::Tensor& seen, const at::Tensor& pixels) {
  // The random factors are needed: the plain sum of a LayerNorm's output is constant, so its
  // gradient would be rounding noise or 0.
  torch::autograd::backward({(seen * at::randn(seen.sizes())).sum()}, {});
  const at::Tensor touched = pixels.grad().abs().flatten(2).amax(2).squeeze(0);  // [L]
  for (int64_t slot = 0; slot < 16; ++slot) {
    if (slot >= 4 && slot < 8) {
      EXPECT_GT(touched[slot].item<float>(), 0) << slot;
    } else {
      EXPECT_EQ(touched[slot].item<float>(), 0) << slot;
    }
  }
}

TEST(MaskedAutoencoder, AViewsGradientAtCellsOfOtherViewsIsExactlyZero) {
  const AutoencoderOptions options = small_options({"", {2, 2, 2}, 4, 4, 0.75, 0});
  const MaskedAutoencoder model(options, 11);
  const std::vector<int64_t> ids{5};
  const masks::ViewPlan plan = masks::plan_for_samples(ids, 1, 0, model.grid(), {});
  const at::Tensor pixels = at::randn({1, 16, 16, 12}).requires_grad_(true);
  const auto features = model.encode(pixels, plan, at::kFloat);
  expect_gradients_in_view_1_alone(features.latent_BKC.narrow(1, 4, 4), pixels);
}

TEST(MaskedAutoencoder, AVitsViewsSeeNothingOfEachOther) {
  const AutoencoderOptions options = small_options({"", {8}, 4, 4, 0.75, 0});
  const MaskedAutoencoder model(options, 11);
  const std::vector<int64_t> ids{5};
  const masks::ViewPlan plan = masks::plan_for_samples(ids, 1, 0, model.grid(), {});
  for (const bool class_token : {false, true}) {
    const at::Tensor pixels = at::randn({1, 16, 1, 192}).requires_grad_(true);
    const auto features = model.encode(pixels, plan, at::kFloat);
    ASSERT_EQ(features.class_latents_BGC.sizes(), (std::vector<int64_t>{1, 4, 16}));
    expect_gradients_in_view_1_alone(
        class_token ? features.class_latents_BGC.select(1, 1) : features.latent_BKC.narrow(1, 4, 4),
        pixels);
  }
}

TEST(MaskedAutoencoder, BfloatStaysNearFloat) {
  const AutoencoderOptions options = small_options({"", {4, 2, 2}, 4, 4, 0.75, 0});
  MaskedAutoencoder model(options, 11);
  at::manual_seed(2);
  const std::vector<int64_t> ids{5, 6};
  const masks::ViewPlan plan = masks::plan_for_samples(ids, 1, 0, model.grid(), {});
  const at::Tensor pixels = at::randn({2, 16, 16, 48});
  const double fp32 = model.forward(pixels, plan, at::kFloat).loss.item<double>();
  const auto bf16 = model.forward(pixels, plan, at::kBFloat16);
  EXPECT_NEAR(bf16.loss.item<double>(), fp32, 0.01 * fp32);
  torch::autograd::backward({bf16.loss}, {});
  EXPECT_TRUE(model.parameters().flat_gradients().isfinite().all().item<bool>());
  EXPECT_GT(model.parameters().flat_gradients().abs().sum().item<double>(), 0);
}

// Every forward pass rounds the weights to bfloat16 again, so it sees changed weights.
TEST(MaskedAutoencoder, BfloatSeesWeightsThatWereChangedByHand) {
  const AutoencoderOptions options = small_options({"", {4, 2, 2}, 4, 4, 0.75, 0});
  MaskedAutoencoder model(options, 11, at::kFloat), other(options, 12, at::kFloat);
  const masks::MaskOptions mask_options;
  const auto sizes = masks::view_sizes(model.grid().patches(), mask_options);
  const masks::ViewPlan plan =
      masks::plan_from_noise(at::rand({2, model.grid().patches()}, at::kDouble), model.grid(),
                             sizes, masks::kept_views(sizes, mask_options));
  const at::Tensor pixels =
      ops::patchify_normalised(at::randn({2, options.channels, options.rows, options.cols}),
                               plan.order_BL, model.geometry());
  const auto loss = [&](const MaskedAutoencoder& of) {
    return of.forward(pixels, plan, at::kBFloat16).loss.item<double>();
  };
  const double before = loss(model);
  EXPECT_NE(before, loss(other));
  {
    const at::NoGradGuard no_grad;
    for (const nn::Parameter& parameter : model.parameters().all()) {
      at::Tensor value = parameter.value;
      value.copy_(other.parameters().find(parameter.name).value);
    }
  }
  EXPECT_EQ(loss(model), loss(other));
}

}  // namespace
}  // namespace fcm::models
