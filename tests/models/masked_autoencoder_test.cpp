// The fast model against the published form, in float64.
#include "fcm/models/masked_autoencoder.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "fcm/reference/reference.h"

namespace fcm::models {
namespace {

struct Setting {
  std::string name;
  std::vector<int64_t> strides;
  int64_t grid_rows, grid_cols;
  double ratio;
  int64_t kept;  // 0: all
  bool norm_pix = true;
  int64_t channels = 3;
};

void PrintTo(const Setting& setting, std::ostream* out) { *out << setting.name; }

AutoencoderOptions small_options(const Setting& setting) {
  const ops::PatchGeometry geometry{setting.strides};
  AutoencoderOptions options;
  options.encoder = {"custom", setting.strides, {8, 12, 16}, {2, 1, 2}, 4, {2, 3, 4}};
  options.decoder = {16, 2, 2, 4.0};
  options.targets.norm_pix = setting.norm_pix;
  options.rows = setting.grid_rows * geometry.patch_side();
  options.cols = setting.grid_cols * geometry.patch_side();
  options.channels = setting.channels;
  return options;
}

reference::ReferenceOptions reference_options(const AutoencoderOptions& options) {
  reference::ReferenceOptions same;
  same.rows = options.rows;
  same.cols = options.cols;
  same.channels = options.channels;
  same.strides = options.encoder.strides;
  same.dims = options.encoder.dims;
  same.depths = options.encoder.depths;
  same.heads = options.encoder.heads;
  same.mlp_ratios = options.encoder.mlp_ratios;
  same.decoder_dim = options.decoder.dim;
  same.decoder_depth = options.decoder.depth;
  same.decoder_heads = options.decoder.heads;
  same.decoder_mlp_ratio = options.decoder.mlp_ratio;
  same.norm_pix = options.targets.norm_pix;
  same.variance_epsilon = options.targets.variance_epsilon;
  same.compute = at::kDouble;
  return same;
}

// Start values alone leave biases at zero; this makes every parameter matter.
void perturb(MaskedAutoencoder& model) {
  at::NoGradGuard no_grad;
  at::Tensor values = model.parameters().flat_values();
  values.add_(at::randn_like(values), 0.05);
}

reference::Weights published_weights(const MaskedAutoencoder& model) {
  reference::Weights weights;
  for (const nn::Parameter& parameter : model.parameters().all()) {
    at::Tensor value = model.parameters().published(parameter).clone();
    weights[parameter.name] = value.requires_grad_(parameter.trainable);
  }
  return weights;
}

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
  FAIL() << "no two patches see each other";
}

struct Comparison {
  double loss = 0, loss_reference = 0;
  double worst_gradient = 0;  // largest error relative to the tensor's largest value
  std::string worst_name;
};

Comparison compare(const Setting& setting, bool break_one_edge = false) {
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
  if (break_one_edge) cut_one_edge(plan);
  const at::Tensor pixels = ops::patchify_normalised(images, plan.order_BL, model.geometry());
  const auto result = model.forward(pixels, plan, at::kDouble);
  torch::autograd::backward({result.loss}, {});

  const reference::Weights weights = published_weights(model);
  const auto wanted =
      reference::forward(weights, reference_options(options), images, noise, sizes, kept);
  torch::autograd::backward({wanted.loss}, {});

  Comparison comparison{result.loss.item<double>(), wanted.loss.item<double>(), 0, ""};
  for (const nn::Parameter& parameter : model.parameters().all()) {
    if (!parameter.trainable) continue;
    const at::Tensor gradient =
        nn::to_published(parameter.value.grad(), parameter.layout, parameter.published_shape);
    const at::Tensor want = weights.at(parameter.name).grad();
    // The k third of a qkv bias has no gradient but rounding noise: measure against the rest.
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
  const Comparison comparison = compare(GetParam());
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
                                           Setting{"plain_pixels", {2, 2, 2}, 4, 4, 0.75, 0, false},
                                           Setting{"grey", {2, 2, 2}, 4, 4, 0.75, 0, true, 1}),
                         [](const auto& tested) { return tested.param.name; });

TEST(MaskedAutoencoder, OneWrongNeighbourIsNoticed) {
  const Comparison comparison = compare({"four_views", {2, 2, 2}, 4, 4, 0.75, 0}, true);
  EXPECT_GT(std::abs(comparison.loss - comparison.loss_reference), 1e-7);
  EXPECT_GT(comparison.worst_gradient, 1e-5);
}

TEST(MaskedAutoencoder, BaseModelHasThePublishedParameters) {
  AutoencoderOptions options;
  options.encoder = encoder::named_size(encoder::Kind::kConvVit, "base");
  const MaskedAutoencoder model(options, 0);
  const auto expected = reference::expected_names_and_shapes(reference_options(options));
  ASSERT_EQ(model.parameters().all().size(), 313u);
  ASSERT_EQ(expected.size(), 313u);
  for (size_t i = 0; i < expected.size(); ++i) {
    const nn::Parameter& parameter = model.parameters().all()[i];
    EXPECT_EQ(parameter.name, expected[i].first);
    EXPECT_EQ(parameter.published_shape, expected[i].second) << parameter.name;
  }
  EXPECT_EQ(model.parameters().trainable_elements(), 114790528);
}

TEST(MaskedAutoencoder, StartValuesFollowThePublishedRules) {
  AutoencoderOptions options;
  options.encoder = encoder::named_size(encoder::Kind::kConvVit, "base");
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
  // At the start predictions have variance 2 * 512 / (512 + 768) and targets mean square 767/768.
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

TEST(MaskedAutoencoder, AViewsGradientAtCellsOfOtherViewsIsExactlyZero) {
  const AutoencoderOptions options = small_options({"", {2, 2, 2}, 4, 4, 0.75, 0});
  const MaskedAutoencoder model(options, 11);
  const std::vector<int64_t> ids{5};
  const masks::ViewPlan plan = masks::plan_for_samples(ids, 1, 0, model.grid(), {});
  const at::Tensor pixels = at::randn({1, 16, 16, 12}).requires_grad_(true);
  const auto features = model.encode(pixels, plan, at::kFloat);
  torch::autograd::backward({features.latent_BKC.narrow(1, 4, 4).sum()}, {});
  const at::Tensor touched = pixels.grad().abs().amax({2, 3}).squeeze(0);  // [L]
  for (int64_t slot = 0; slot < 16; ++slot) {
    if (slot >= 4 && slot < 8) {
      EXPECT_GT(touched[slot].item<float>(), 0) << slot;
    } else {
      EXPECT_EQ(touched[slot].item<float>(), 0) << slot;
    }
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

}  // namespace
}  // namespace fcm::models
