// Tests parts of detector backbones: drop-path draws, names, initial values, layers, cost and
// refused options; and compares the maps and gradients of a Swin backbone with the reference.
#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <map>
#include <set>

#include "fcm/base/error.h"
#include "reference/swin.h"
#include "tests/models/small_backbone.h"
#include "tests/support/compare.h"
#include "tests/support/error_of.h"

namespace fcm::models {
namespace {

TEST(DetectorBackboneDraws, AreOneAWindowAndKeyedByTheSample) {
  const BackboneSetting setting{"", "conv_vit", kShared, 8, 8, 4, {0, 2}, 0.5};
  const BuiltBackbone fast(small_backbone(setting));
  const std::vector<int64_t> pair{4, 7}, alone{7};
  const nn::DropPath both = fast.backbone.draw(2, 1, pair), one = fast.backbone.draw(2, 1, alone);
  ASSERT_EQ(both.size(), 6U);
  for (size_t block = 0; block < both.size(); ++block) {
    const int64_t parts = block == 4 ? 4 : 1;  // block 4 has windows; 3 and 5 are global
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
  EXPECT_EQ(said({"", "conv_vit", kOwn, 8, 6, 4, {0}}), "");  // allowed: these windows are padded
  DetectorBackboneOptions crooked = small_backbone({"", "conv_vit", kShared, 8, 8, 4, {0}});
  crooked.rows += 2;
  EXPECT_NE(
      test::error_of(ExitCode::kUsage, [&] { BuiltBackbone{crooked}; }).find("34 x 32 pixels"),
      std::string::npos);
}

// Parameter names of a vit and of a conv_vit with decomposed tables. tests/parity compares those of
// a conv_vit with shared tables (convmae_det_base.json).
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
    const auto [value, trained] =
        start(shared, table + std::string(".relative_position_bias_table"));
    EXPECT_EQ(value.abs().max().item<double>(), 0);
    EXPECT_TRUE(trained);
  }
  const at::Tensor sincos = nn::sincos_positions(14, 14, 16);
  EXPECT_FALSE(start(shared, "pos_embed").second);
  EXPECT_EQ(start(shared, "pos_embed").first.size(1), 64);
  EXPECT_TRUE(start(own, "pos_embed").second);
  EXPECT_TRUE(start(own, "pos_embed").first.equal(sincos.to(at::kDouble)));
  // The first half of a vector encodes the row, so it is constant along a row of patches.
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
  for (const char* name :
       {"pos_embed", "blocks3.0.norm1.bias", "patch_embed1.norm.weight", "blocks3.0.attn.qkv.bias",
        "blocks3.0.attn.rel_pos_w", "patch_embed1.proj.weight"}) {
    if (layer_of(name).exempt) exempt.insert(name);
  }
  EXPECT_EQ(exempt, (std::set<std::string>{"pos_embed", "blocks3.0.norm1.bias",
                                           "patch_embed1.norm.weight"}));
}

// Multiply-adds at 1024 x 1024 pixels: 87 G in stage 1, 55 G in stage 2, 326 G in the transformer's
// linear layers, 4 x 25.8 G in global attention, 11 G in window attention; with the embeddings
// about 583 G.
TEST(DetectorBackboneCost, IsThatOfTheBaseSize) {
  DetectorBackboneOptions options;
  EXPECT_NEAR(cost(options).multiply_adds / 1e9, 583, 6);
  const double windows = cost(options).multiply_adds;
  options.global_blocks = {};
  const double pairs = 4096.0 * (4096 - 256) * 768 * 2;
  EXPECT_NEAR(windows - cost(options).multiply_adds, 4 * pairs, 1e6);
}

// The maps of a Swin are the outputs of upstream's stages, each after a norm. Windows of 2 divide
// all maps. Windows of 3 and 7 do not, so maps are padded. Windows of 3 are taller than the last
// map (2 x 4); windows of 7 are also taller than the third (4 x 8) and wider than the last.
class SwinBackboneTest : public testing::TestWithParam<int64_t> {};

TEST_P(SwinBackboneTest, LeavesTheNormedResultsOfItsStages) {
  const test::OneThread quiet;
  DetectorBackboneOptions options;
  options.kind = "swin";
  options.encoder = {"custom",     {4, 2, 2, 2}, {8, 16, 32, 64}, {2, 2, 2, 2}, {2, 2, 4, 4},
                     {2, 2, 2, 2}, 1e-5,         GetParam()};
  options.rows = 64;
  options.cols = 128;
  const BuiltBackbone fast(options);
  reference::SwinOptions plain;
  plain.rows = options.rows;
  plain.cols = options.cols;
  plain.dim = 8;
  plain.depths = options.encoder.depths;
  plain.heads = {2, 2, 4, 4};
  plain.window = GetParam();
  plain.attends_to_padding = true;
  plain.mlp_ratio = 2;
  plain.compute = at::kDouble;
  plain.classes = 3;
  const std::string place = "bottom_up.";
  reference::Weights weights;
  for (const auto& [name, value] : fast.weights()) weights[name.substr(place.size())] = value;
  weights["norm.weight"] = at::ones({64}, at::kDouble);
  weights["norm.bias"] = at::zeros({64}, at::kDouble);
  weights["head.weight"] = at::zeros({3, 64}, at::kDouble);
  weights["head.bias"] = at::zeros({3}, at::kDouble);
  const std::vector<int64_t> ids{1, 2};
  const nn::DropPath drop_path = fast.backbone.draw(1, 1, ids);
  const at::Tensor images = images_for(options, 2);
  std::map<std::string, at::Tensor> seen;
  reference::swin_classify(weights, plain, images, drop_path,
                           [&](const std::string& name, const at::Tensor& x) { seen[name] = x; });
  const std::vector<at::Tensor> maps = fast.maps(images, drop_path);
  ASSERT_EQ(maps.size(), 4U);
  at::Tensor got = at::zeros({}, at::kDouble), wanted = got;
  for (size_t i = 0; i < 4; ++i) {
    const std::string number = std::to_string(i);
    const int64_t last = options.encoder.depths[i] - 1, dim = options.encoder.dims[i];
    const at::Tensor normed = at::layer_norm(
        seen.at("layers." + number + ".blocks." + std::to_string(last)), {dim},
        weights.at("norm" + number + ".weight"), weights.at("norm" + number + ".bias"), 1e-5);
    EXPECT_EQ(test::compare(maps[i].flatten(1, 2), normed, 1e-11).description, "") << i;
    EXPECT_EQ(fast.backbone.map_strides()[i], 4 << i);
    const at::Tensor by = at::randn(normed.sizes(), at::kDouble);
    got = got + (maps[i].flatten(1, 2) * by).sum();
    wanted = wanted + (normed * by).sum();
  }
  torch::autograd::backward({got}, {});
  torch::autograd::backward({wanted}, {});
  for (const nn::Parameter& parameter : fast.parameters.all()) {
    const at::Tensor gradient =
        published_gradient(parameter.name, weights.at(parameter.name.substr(place.size())).grad());
    EXPECT_EQ(test::compare(nn::to_published(parameter.value.grad(), parameter.layout,
                                             parameter.published_shape),
                            gradient, 1e-10)
                  .description,
              "")
        << parameter.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Windows, SwinBackboneTest, testing::Values(2, 3, 7));

}  // namespace
}  // namespace fcm::models
