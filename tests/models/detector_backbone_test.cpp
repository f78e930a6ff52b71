// Compares detector backbones and their gradients with the reference in float64.
#include "fcm/models/detector_backbone.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "reference/detector_backbone.h"
#include "tests/models/small_backbone.h"
#include "tests/support/compare.h"

namespace fcm::models {
namespace {

std::vector<at::Tensor> plain_maps(const DetectorBackboneOptions& options,
                                   const reference::Weights& weights, const at::Tensor& images_BCHW,
                                   const nn::DropPath& drop_path = {}) {
  reference::DetectorBackboneOptions same;
  static_cast<reference::EncoderSizes&>(same) = reference::encoder_sizes(options);
  same.decomposed = options.form == BackboneForm::kDecomposed;
  same.window = options.window;
  same.global_blocks = options.global_blocks;
  same.compute = at::kDouble;
  return reference::detector_backbone(weights, same, "bottom_up.", images_BCHW, drop_path);
}

at::Tensor weighted_sum(const std::vector<at::Tensor>& maps, const std::vector<at::Tensor>& by) {
  at::Tensor sum = at::zeros({}, at::kDouble);
  for (size_t i = 0; i < maps.size(); ++i) sum = sum + (maps[i] * by[i]).sum();
  return sum;
}

class DetectorBackboneTest : public testing::TestWithParam<BackboneSetting> {
 protected:
  const test::OneThread quiet_;
};

TEST_P(DetectorBackboneTest, EqualsThePublishedFormWithItsGradients) {
  const DetectorBackboneOptions options = small_backbone(GetParam());
  const BuiltBackbone fast(options);
  const std::vector<int64_t> ids{4, 7};
  const nn::DropPath drop_path = fast.backbone.draw(2, 1, ids);
  EXPECT_EQ(drop_path.empty(), options.drop_path == 0);
  const at::Tensor images = images_for(options, 2).requires_grad_(true);
  const reference::Weights weights = fast.weights();
  const std::vector<at::Tensor> got = fast.maps(images, drop_path),
                                wanted = plain_maps(options, weights, images, drop_path);
  ASSERT_EQ(got.size(), wanted.size());
  std::vector<at::Tensor> by_NCHW, by_NHWC;
  const std::vector<int64_t> channels = fast.backbone.map_channels(),
                             strides = fast.backbone.map_strides();
  ASSERT_EQ(channels.size(), got.size());
  ASSERT_EQ(strides.size(), got.size());
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(test::compare(got[i].permute({0, 3, 1, 2}), wanted[i], 1e-11).description, "") << i;
    EXPECT_EQ(got[i].sizes(), at::IntArrayRef({2, options.rows / strides[i],
                                               options.cols / strides[i], channels[i]}))
        << i;
    by_NCHW.push_back(at::randn(wanted[i].sizes(), at::kDouble));
    by_NHWC.push_back(by_NCHW.back().permute({0, 2, 3, 1}));
  }
  torch::autograd::backward({weighted_sum(got, by_NHWC)}, {});
  const at::Tensor of_images = images.grad().clone();
  images.mutable_grad().zero_();
  torch::autograd::backward({weighted_sum(wanted, by_NCHW)}, {});
  EXPECT_EQ(test::compare(of_images, images.grad(), 1e-10).description, "");
  for (const nn::Parameter& parameter : fast.parameters.all()) {
    if (!parameter.trainable) continue;
    const at::Tensor gradient =
        published_gradient(parameter.name, weights.at(parameter.name).grad());
    EXPECT_EQ(test::compare(nn::to_published(parameter.value.grad(), parameter.layout,
                                             parameter.published_shape),
                            gradient, 1e-10)
                  .description,
              "")
        << parameter.name;
  }
}

// Negative controls: the comparison detects other global blocks (only with shared tables), and
// flipped bias tables and positions.
TEST_P(DetectorBackboneTest, TheComparisonSeesMistakes) {
  const at::NoGradGuard no_grad;
  const DetectorBackboneOptions options = small_backbone(GetParam());
  const BuiltBackbone fast(options);
  const at::Tensor images = images_for(options, 1);
  const at::Tensor last = fast.maps(images).back().permute({0, 3, 1, 2});
  const auto differs = [&](const DetectorBackboneOptions& other,
                           const reference::Weights& weights) {
    const at::Tensor plain = plain_maps(other, weights, images).back();
    return !test::compare(last, plain, 1e-6).description.empty();
  };
  EXPECT_FALSE(differs(options, fast.weights()));
  DetectorBackboneOptions other = options;
  if (options.form == BackboneForm::kSharedTables) {
    other.global_blocks = {0};
    EXPECT_TRUE(differs(other, fast.weights()));
  }
  for (const auto& [name, value] : fast.weights()) {
    const bool is_position_table = name.ends_with("bias_table") ||
                                   name.find("rel_pos_") != std::string::npos ||
                                   name.ends_with("pos_embed");
    if (!is_position_table) continue;
    reference::Weights turned = fast.weights();
    turned[name] = value.flip({value.dim() - 2});
    EXPECT_TRUE(differs(options, turned)) << name;
  }
}

TEST_P(DetectorBackboneTest, TakesBfloat16) {
  const at::NoGradGuard no_grad;
  DetectorBackboneOptions options = small_backbone(GetParam());
  nn::Parameters parameters(5, at::kFloat);
  const DetectorBackbone backbone(nn::Scope(parameters) / "bottom_up", options);
  parameters.flatten();
  parameters.round(at::kBFloat16);
  const masks::ViewPlan plan = backbone.plan(1);
  const at::Tensor pixels = ops::patchify_normalised(images_for(options, 1).to(at::kFloat),
                                                     plan.order_BL, backbone.geometry());
  const std::vector<at::Tensor> rounded = backbone(pixels, plan, at::kBFloat16),
                                whole = backbone(pixels, plan, at::kFloat);
  for (size_t i = 0; i < whole.size(); ++i) {
    EXPECT_EQ(rounded[i].scalar_type(), at::kBFloat16);
    EXPECT_EQ(test::compare(rounded[i], whole[i], 6e-2).description, "") << i;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Forms, DetectorBackboneTest,
    testing::Values(BackboneSetting{"conv_vit", "conv_vit", kShared, 8, 8, 4, {0, 2}},
                    BackboneSetting{"conv_vit_dropped", "conv_vit", kShared, 8, 8, 4, {0, 2}, 0.6},
                    BackboneSetting{"conv_vit_wide", "conv_vit", kShared, 4, 8, 4, {1}, 0.5},
                    BackboneSetting{"conv_vit_odd_windows", "conv_vit", kShared, 9, 3, 3, {2}},
                    BackboneSetting{"vit", "vit", kShared, 4, 6, 2, {1, 3, 5, 7}},
                    BackboneSetting{"vit_dropped", "vit", kShared, 4, 4, 2, {3, 6}, 0.6},
                    BackboneSetting{"decomposed", "conv_vit", kOwn, 6, 6, 3, {1}},
                    BackboneSetting{"decomposed_filled", "conv_vit", kOwn, 7, 5, 3, {2}, 0.5}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace fcm::models
