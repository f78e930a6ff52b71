// The backbones of detectors against the published form in float64, with their gradients.
#include "fcm/models/detector_backbone.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <map>
#include <numeric>
#include <set>

#include "fcm/base/error.h"
#include "fcm/ops/patchify/op.h"
#include "reference/detector_backbone.h"
#include "reference/swin.h"
#include "tests/support/compare.h"
#include "tests/support/error_of.h"

namespace fcm::models {
namespace {

struct BackboneSetting {
  std::string name, kind;
  BackboneForm form;
  int64_t grid_rows, grid_cols, window;
  std::vector<int64_t> global_blocks;
  double drop_path = 0;
};

void PrintTo(const BackboneSetting& setting, std::ostream* out) { *out << setting.name; }

DetectorBackboneOptions small_backbone(const BackboneSetting& setting) {
  DetectorBackboneOptions options;
  options.kind = setting.kind;
  options.form = setting.form;
  options.encoder = {"custom", {1, 2, 2}, {8, 12, 16}, {2, 1, 3}, 4, {2, 3, 4}};
  if (setting.kind == "vit") options.encoder = {"custom", {4}, {16}, {8}, 4, {3}};
  options.rows = 4 * setting.grid_rows;
  options.cols = 4 * setting.grid_cols;
  options.window = setting.window;
  options.global_blocks = setting.global_blocks;
  options.drop_path = setting.drop_path;
  return options;
}

// A backbone with values that all matter, and the same weights for the published form.
struct BuiltBackbone {
  explicit BuiltBackbone(const DetectorBackboneOptions& options)
      : parameters(5, at::kDouble), backbone(nn::Scope(parameters) / "bottom_up", options) {
    parameters.flatten();
    at::manual_seed(3);
    const at::NoGradGuard no_grad;
    for (const nn::Parameter& parameter : parameters.all()) {
      at::Tensor value = parameter.value;
      value.add_(at::randn_like(value), 0.1);
    }
  }
  reference::Weights weights() const {
    reference::Weights weights;
    for (const nn::Parameter& parameter : parameters.all()) {
      weights[parameter.name] =
          parameters.published(parameter).clone().requires_grad_(parameter.trainable);
    }
    return weights;
  }
  at::Tensor pixels(const at::Tensor& images_BCHW, const masks::ViewPlan& plan) const {
    return ops::patchify_normalised(images_BCHW, plan.order_BL, backbone.geometry());
  }
  std::vector<at::Tensor> maps(const at::Tensor& images_BCHW,
                               const nn::DropPath& drop_path = {}) const {
    const masks::ViewPlan plan = backbone.plan(images_BCHW.size(0));
    return backbone(pixels(images_BCHW, plan), plan, at::kDouble, drop_path);
  }

  nn::Parameters parameters;
  DetectorBackbone backbone;
};

std::vector<at::Tensor> plain_maps(const DetectorBackboneOptions& options,
                                   const reference::Weights& weights,
                                   const at::Tensor& images_BCHW,
                                   const nn::DropPath& drop_path = {}) {
  reference::DetectorBackboneOptions same;
  static_cast<reference::EncoderSizes&>(same) = reference::encoder_sizes(options);
  same.decomposed = options.form == BackboneForm::kDecomposed;
  same.window = options.window;
  same.global_blocks = options.global_blocks;
  same.compute = at::kDouble;
  return reference::detector_backbone(weights, same, "bottom_up.", images_BCHW, drop_path);
}

at::Tensor images_for(const DetectorBackboneOptions& options, int64_t batch) {
  at::manual_seed(8);
  return at::randn({batch, options.channels, options.rows, options.cols}, at::kDouble);
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
    at::Tensor gradient = weights.at(parameter.name).grad();
    if (parameter.name.ends_with("qkv.bias")) {  // the keys' part has no effect, and is exactly 0
      gradient = gradient.clone();
      gradient.narrow(0, gradient.size(0) / 3, gradient.size(0) / 3).zero_();
    }
    EXPECT_EQ(test::compare(nn::to_published(parameter.value.grad(), parameter.layout,
                                             parameter.published_shape),
                            gradient, 1e-10)
                  .description,
              "")
        << parameter.name;
  }
}

// Negative controls: the comparison sees the other kind of block, a table turned over, positions
// turned over, and windows that are dropped as those of other places.
TEST_P(DetectorBackboneTest, TheComparisonSeesMistakes) {
  const at::NoGradGuard no_grad;
  const DetectorBackboneOptions options = small_backbone(GetParam());
  const BuiltBackbone fast(options);
  const at::Tensor images = images_for(options, 1);
  const at::Tensor last = fast.maps(images).back().permute({0, 3, 1, 2});
  const auto differs = [&](const DetectorBackboneOptions& other, const reference::Weights& weights) {
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
    const bool of_places = name.ends_with("bias_table") || name.find("rel_pos_") != std::string::npos ||
                           name.ends_with("pos_embed");
    if (!of_places) continue;
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

constexpr auto kShared = BackboneForm::kSharedTables, kOwn = BackboneForm::kDecomposed;

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

TEST(DetectorBackboneDraws, AreOneAWindowAndKeyedByTheSample) {
  const BackboneSetting setting{"", "conv_vit", kShared, 8, 8, 4, {0, 2}, 0.5};
  const BuiltBackbone fast(small_backbone(setting));
  const std::vector<int64_t> pair{4, 7}, alone{7};
  const nn::DropPath both = fast.backbone.draw(2, 1, pair), one = fast.backbone.draw(2, 1, alone);
  ASSERT_EQ(both.size(), 6U);
  for (size_t block = 0; block < both.size(); ++block) {
    const int64_t parts = block == 4 ? 4 : 1;  // the transformer's blocks are 3, 4 and 5
    EXPECT_EQ(both[block].first_B.numel(), 2 * parts) << block;
    EXPECT_TRUE(both[block].second_B.view({2, parts})[1].equal(one[block].second_B)) << block;
  }
}

TEST(DetectorBackboneOptionsTest, SayWhatCannotBeBuilt) {
  const auto said = [](const BackboneSetting& setting) {
    return test::error_of(ExitCode::kUsage, [&] { BuiltBackbone(small_backbone(setting)); });
  };
  EXPECT_NE(said({"", "conv_vit", kShared, 8, 6, 4, {0}}).find("windows of 4 x 4 patches"),
            std::string::npos);
  EXPECT_NE(said({"", "conv_vit", kShared, 8, 8, 4, {3}}).find("from 0 to 2"), std::string::npos);
  EXPECT_NE(said({"", "conv_vit", kShared, 8, 8, 4, {2, 0}}).find("ascending"), std::string::npos);
  EXPECT_NE(said({"", "vit", kOwn, 8, 8, 4, {0}}).find("conv_vit"), std::string::npos);
  EXPECT_EQ(said({"", "conv_vit", kOwn, 8, 6, 4, {0}}), "");  // those are filled up
  DetectorBackboneOptions crooked = small_backbone({"", "conv_vit", kShared, 8, 8, 4, {0}});
  crooked.rows += 2;
  EXPECT_NE(test::error_of(ExitCode::kUsage, [&] { BuiltBackbone{crooked}; }).find("34 x 32 pixels"),
            std::string::npos);
}

// The names of convmae_det_base.json are compared by tests/parity; these are of the other forms.
TEST(DetectorBackboneNames, AreThePublishedOnesInTheirOrder) {
  const auto names = [](const BackboneSetting& setting) {
    const BuiltBackbone fast(small_backbone(setting));
    std::vector<std::string> found;
    for (const nn::Parameter& parameter : fast.parameters.all()) found.push_back(parameter.name);
    return found;
  };
  const std::vector<std::string> vit = names({"", "vit", kShared, 4, 4, 2, {3}});
  EXPECT_EQ(vit.front(), "bottom_up.pos_embed");
  EXPECT_EQ(vit[1], "bottom_up.patch_embed.proj.weight");
  EXPECT_EQ(vit[vit.size() - 2], "bottom_up.windowed_rel_pos_bias.relative_position_bias_table");
  EXPECT_EQ(vit.back(), "bottom_up.global_rel_pos_bias.relative_position_bias_table");
  EXPECT_EQ(std::ranges::count(vit, "bottom_up.cls_token"), 0);
  const std::vector<std::string> own = names({"", "conv_vit", kOwn, 4, 4, 2, {1}});
  const auto at = std::ranges::find(own, "bottom_up.blocks3.0.norm1.bias") - own.begin();
  const std::vector<std::string> behind(own.begin() + at + 1, own.begin() + at + 4);
  EXPECT_EQ(behind, (std::vector<std::string>{"bottom_up.blocks3.0.attn.rel_pos_h",
                                              "bottom_up.blocks3.0.attn.rel_pos_w",
                                              "bottom_up.blocks3.0.attn.qkv.weight"}));
}

TEST(DetectorBackboneStart, TablesAreZeroAndPositionsThoseOfTheForm) {
  const auto start = [](const BackboneSetting& setting, const std::string& name) {
    nn::Parameters parameters(5, at::kDouble);
    const DetectorBackbone made(nn::Scope(parameters) / "bottom_up", small_backbone(setting));
    const nn::Parameter& parameter = parameters.find("bottom_up." + name);
    return std::pair{parameter.value.detach().clone(), parameter.trainable};
  };
  const BackboneSetting shared{"", "conv_vit", kShared, 8, 8, 4, {0}},
      vit{"", "vit", kShared, 4, 6, 2, {3}}, own{"", "conv_vit", kOwn, 8, 8, 4, {0}};
  for (const char* table : {"windowed_rel_pos_bias", "global_rel_pos_bias"}) {
    const auto [value, trained] = start(shared, table + std::string(".relative_position_bias_table"));
    EXPECT_EQ(value.abs().max().item<double>(), 0);
    EXPECT_TRUE(trained);
  }
  const at::Tensor sincos = nn::sincos_positions(14, 14, 16);
  EXPECT_FALSE(start(shared, "pos_embed").second);
  EXPECT_EQ(start(shared, "pos_embed").first.size(1), 64);
  EXPECT_TRUE(start(own, "pos_embed").second);
  EXPECT_TRUE(start(own, "pos_embed").first.equal(sincos.to(at::kDouble)));
  // Rows of patches first: along a row of patches, the first half does not change.
  const auto [of_vit, trained] = start(vit, "pos_embed");
  EXPECT_TRUE(trained);
  EXPECT_TRUE(of_vit[0][0].narrow(0, 0, 8).equal(of_vit[0][5].narrow(0, 0, 8)));
  EXPECT_TRUE(of_vit[0][0].narrow(0, 8, 8).equal(of_vit[0][6].narrow(0, 8, 8)));
  EXPECT_FALSE(of_vit[0][0].equal(of_vit[0][5]));
}

TEST(DetectorBackboneLayers, OfTheOfficialRecipe) {
  const BuiltBackbone fast(small_backbone({"", "conv_vit", kOwn, 4, 4, 2, {1}}));
  const nn::LayerOf layer_of = fast.backbone.layer_of();
  EXPECT_EQ(layer_of("patch_embed3.proj.weight").index, 0);
  EXPECT_EQ(layer_of("patch_embed4.bias").index, 0);
  EXPECT_EQ(layer_of("blocks2.0.conv1.weight").index, 0);
  EXPECT_EQ(layer_of("blocks3.0.attn.rel_pos_h").index, 1);
  EXPECT_EQ(layer_of("blocks3.2.mlp.fc1.bias").index, 3);
  EXPECT_EQ(layer_of("pos_embed").index, 4);
  EXPECT_EQ(layer_of("pos_embed").last, 4);
  std::set<std::string> exempt;
  for (const char* name : {"pos_embed", "blocks3.0.norm1.bias", "patch_embed1.norm.weight",
                           "blocks3.0.attn.qkv.bias", "blocks3.0.attn.rel_pos_w",
                           "patch_embed1.proj.weight"}) {
    if (layer_of(name).exempt) exempt.insert(name);
  }
  EXPECT_EQ(exempt, (std::set<std::string>{"pos_embed", "blocks3.0.norm1.bias",
                                           "patch_embed1.norm.weight"}));
}

// Of docs on costs at 1024 x 1024: stages 87 G and 55 G, the transformer's products 326 G, attention
// over the picture 4 x 25.8 G, in windows 11 G; with embeddings 583 G or so.
TEST(DetectorBackboneCost, IsThatOfTheBaseSize) {
  DetectorBackboneOptions options;
  EXPECT_NEAR(cost(options).multiply_adds / 1e9, 583, 6);
  const double windows = cost(options).multiply_adds;
  options.global_blocks = {};
  const double pairs = 4096.0 * (4096 - 256) * 768 * 2;
  EXPECT_NEAR(windows - cost(options).multiply_adds, 4 * pairs, 1e6);
}

// Swin: its maps are the published stages' results, normed, of windows that cut up the picture.
TEST(SwinBackbone, LeavesTheNormedResultsOfItsStages) {
  const test::OneThread quiet;
  const at::NoGradGuard no_grad;
  DetectorBackboneOptions options;
  options.kind = "swin";
  options.encoder = {"custom", {4, 2, 2, 2}, {8, 16, 32, 64}, {1, 2, 2, 1}, {2, 2, 4, 4},
                     {2, 2, 2, 2}, 1e-5, 2};
  options.rows = 64;
  options.cols = 128;
  const BuiltBackbone fast(options);
  reference::SwinOptions plain;
  plain.rows = options.rows;
  plain.cols = options.cols;
  plain.dim = 8;
  plain.depths = options.encoder.depths;
  plain.heads = {2, 2, 4, 4};
  plain.window = 2;
  plain.mlp_ratio = 2;
  plain.compute = at::kDouble;
  plain.classes = 3;
  reference::Weights weights;
  for (const auto& [name, value] : fast.weights()) {
    weights[name.substr(std::string("bottom_up.").size())] = value;
  }
  weights["norm.weight"] = at::ones({64}, at::kDouble);
  weights["norm.bias"] = at::zeros({64}, at::kDouble);
  weights["head.weight"] = at::zeros({3, 64}, at::kDouble);
  weights["head.bias"] = at::zeros({3}, at::kDouble);
  const at::Tensor images = images_for(options, 2);
  std::map<std::string, at::Tensor> seen;
  reference::swin_classify(weights, plain, images, {},
                           [&](const std::string& name, const at::Tensor& x) { seen[name] = x; });
  const std::vector<at::Tensor> maps = fast.maps(images);
  ASSERT_EQ(maps.size(), 4U);
  for (size_t i = 0; i < 4; ++i) {
    const std::string number = std::to_string(i);
    const int64_t last = options.encoder.depths[i] - 1, dim = options.encoder.dims[i];
    const at::Tensor wanted = at::layer_norm(
        seen.at("layers." + number + ".blocks." + std::to_string(last)), {dim},
        weights.at("norm" + number + ".weight"), weights.at("norm" + number + ".bias"), 1e-5);
    EXPECT_EQ(test::compare(maps[i].flatten(1, 2), wanted, 1e-11).description, "") << i;
    EXPECT_EQ(fast.backbone.map_strides()[i], 4 << i);
  }
}

}  // namespace
}  // namespace fcm::models
