// Recipes derived from segmenter files without a recipe. The models of these recipes must have the
// tensors of the files.
#include "fcm/interop/segmenters.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "fcm/base/relative_table.h"
#include "fcm/interop/downstream.h"
#include "fcm/interop/load_any.h"
#include "fcm/interop/segmenter_names.h"
#include "fcm/models/segmenter.h"
#include "fcm/recipe/check.h"
#include "fcm/recipe/recipe_files.h"
#include "fcm/recipe/setup.h"
#include "fcm/train/state.h"
#include "tests/formats/support.h"
#include "tests/interop/vit_tensors.h"

namespace fcm::interop {
namespace {

using formats::TensorView;
using nlohmann::json;
using Words = std::vector<std::string>;

const std::filesystem::path kGoldens =
    std::filesystem::path(FCM_SOURCE_DIR) / "../shared/goldens/segmentation";

using NamesAndShapes = std::vector<std::pair<std::string, std::vector<int64_t>>>;

NamesAndShapes of_views(const std::vector<TensorView>& tensors) {
  NamesAndShapes found;
  for (const TensorView& tensor : tensors) found.emplace_back(tensor.name, tensor.shape);
  return found;
}

NamesAndShapes of_model(const recipe::Recipe& recipe, int64_t classes) {
  const models::Segmenter model(recipe::segmenter_options(recipe, classes), 0);
  NamesAndShapes found;
  for (const nn::Parameter& parameter : model.parameters().all()) {
    found.emplace_back(parameter.name, parameter.published_shape);
  }
  return found;
}

// A checkpoint with the names and shapes of a stored state_dict.
checkpoint::Checkpoint with_names(const json& state_dict, test::Tensors& owner) {
  for (const json& entry : state_dict) {
    owner.add(entry[0], entry[1].get<std::vector<int64_t>>());
  }
  checkpoint::Checkpoint checkpoint;
  checkpoint.path = "file.pth";
  checkpoint.model.tensors = owner.views;
  from_mmseg(checkpoint.model.tensors, "file.pth");
  return checkpoint;
}

class SegmenterRecipe : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(kGoldens)) GTEST_SKIP() << "no ../shared/goldens";
    std::ifstream stream(kGoldens / "manifest.json");
    manifest_ = json::parse(stream).at("files");
  }
  checkpoint::Checkpoint conv_vit() {
    return load_any(kGoldens / "checkpoint_mmseg.pth", false, silence_);
  }
  checkpoint::Checkpoint vit() {
    return with_names(manifest_.at("mae_vit_segmentor.safetensors").at("state_dict"), tensors_);
  }

  SilentReporter silence_;
  json manifest_;
  test::Tensors tensors_;
};

TEST_F(SegmenterRecipe, OfAConvVitHasItsSizes) {
  const checkpoint::Checkpoint checkpoint = conv_vit();
  const recipe::Recipe recipe = segmenter_recipe(checkpoint, {});
  recipe::check(recipe);
  const json config = manifest_.at("checkpoint_mmseg.pth").at("config");
  EXPECT_EQ(recipe.model.kind, "conv_vit");
  EXPECT_EQ(json(recipe.encoder.dims), config.at("dims"));
  EXPECT_EQ(json(recipe.encoder.depths), config.at("depth"));
  EXPECT_EQ(recipe.encoder.mlp_ratios, (std::vector<double>{2, 2, 2}));
  EXPECT_EQ(recipe.encoder.heads.last(), config.at("heads").get<int64_t>());
  EXPECT_EQ(recipe.encoder.norm_epsilon, 1e-5);
  EXPECT_EQ(json(recipe.data.image_size), config.at("size"));
  const recipe::SegmenterSection& section = recipe.segment().segmenter;
  EXPECT_EQ(section.classes, config.at("classes").get<int64_t>());
  EXPECT_EQ(section.channels, config.at("channels").get<int64_t>());
  EXPECT_EQ(section.aux_channels, config.at("aux").get<int64_t>());
  EXPECT_TRUE(section.taps.empty());
  EXPECT_EQ(section.stride, (std::vector<int64_t>{42, 42}));
  EXPECT_EQ(recipe.segment().pipeline.scale, (std::vector<int64_t>{256, 64}));

  models::Segmenter model(recipe::segmenter_options(recipe, section.classes), 0);
  const auto left = train::load_model(model.parameters(), checkpoint.model, "file");
  EXPECT_TRUE(left.empty());
  EXPECT_EQ(of_views(checkpoint.model.tensors), of_model(recipe, section.classes));
}

TEST_F(SegmenterRecipe, OfAVitHasItsSizesAndTheUsualTaps) {
  const checkpoint::Checkpoint checkpoint = vit();
  const recipe::Recipe recipe = segmenter_recipe(checkpoint, {});
  recipe::check(recipe);
  const json config = manifest_.at("mae_vit_segmentor.safetensors").at("config");
  EXPECT_EQ(recipe.model.kind, "vit");
  EXPECT_EQ(recipe.encoder.dims, std::vector<int64_t>{config.at("dim").get<int64_t>()});
  EXPECT_EQ(recipe.encoder.depths, std::vector<int64_t>{config.at("depth").get<int64_t>()});
  EXPECT_EQ(recipe.encoder.heads.last(), config.at("heads").get<int64_t>());
  EXPECT_EQ(recipe.encoder.norm_epsilon, 1e-6);
  EXPECT_EQ(json(recipe.data.image_size), config.at("size"));
  EXPECT_EQ(of_views(checkpoint.model.tensors), of_model(recipe, 7));
  EXPECT_EQ(recipe.segment().segmenter.taps, (std::vector<int64_t>{0, 1, 2, 3}));
}

// The recipe is derived from the names and shapes of the upstream base ViT's tensors, without their
// values; the test builds no model.
TEST_F(SegmenterRecipe, OfThePublishedBaseVitIsTheShippedOne) {
  std::ifstream stream(kGoldens / "mae_base_groups.json");
  const json published = json::parse(stream);
  std::vector<TensorView> tensors;
  int64_t elements = 0;
  for (const json& entry : published.at("state_dict")) {
    tensors.push_back({entry[0], "F32", entry[1].get<std::vector<int64_t>>(), {}});
    const std::string& name = tensors.back().name;
    const bool buffer = name.ends_with("_index") || name.ends_with("_tracked") ||
                        name.ends_with("running_mean") || name.ends_with("running_var");
    int64_t product = buffer ? 0 : 1;
    for (const int64_t extent : tensors.back().shape) product *= extent;
    elements += product;
  }
  EXPECT_EQ(elements, published.at("parameters").get<int64_t>());
  checkpoint::Checkpoint checkpoint;
  checkpoint.model.tensors = tensors;
  from_mmseg(checkpoint.model.tensors, "x");
  const recipe::Recipe recipe = segmenter_recipe(checkpoint, {}),
                       shipped = recipe::load_recipe(
                           "upernet_vit_base_ade20k_160k",
                           {std::filesystem::path(FCM_SOURCE_DIR) / "recipes"}, {});
  EXPECT_EQ(recipe.encoder.dims, shipped.encoder.dims);
  EXPECT_EQ(recipe.encoder.depths, shipped.encoder.depths);
  EXPECT_EQ(recipe.encoder.heads.last(), shipped.encoder.heads.last());
  EXPECT_EQ(recipe.encoder.norm_epsilon, shipped.encoder.norm_epsilon);
  EXPECT_EQ(recipe.data.image_size, shipped.data.image_size);
  EXPECT_EQ(recipe.data.mean, shipped.data.mean);
  EXPECT_EQ(recipe.data.stddev, shipped.data.stddev);
  EXPECT_EQ(recipe.segment().segmenter.taps, shipped.segment().segmenter.taps);
  EXPECT_EQ(recipe.segment().segmenter.stride, shipped.segment().segmenter.stride);
  EXPECT_EQ(recipe.segment().segmenter.windows, shipped.segment().segmenter.windows);
  EXPECT_EQ(recipe.segment().pipeline.scale, shipped.segment().pipeline.scale);
  EXPECT_EQ(recipe.segment().pipeline.reduce_zero_label,
            shipped.segment().pipeline.reduce_zero_label);
}

TEST_F(SegmenterRecipe, WhatIsAssumedIsSaidUnlessItIsSet) {
  const checkpoint::Checkpoint checkpoint = vit();
  const Words all = segmenter_assumptions(checkpoint, {});
  ASSERT_EQ(all.size(), 4u);
  EXPECT_NE(all[0].find("encoder.norm_epsilon = 1e-06"), std::string::npos) << all[0];
  EXPECT_NE(all[1].find("segmenter.taps = [0, 1, 2, 3]"), std::string::npos) << all[1];
  EXPECT_NE(all[2].find("pipeline.scale = [256, 64]"), std::string::npos) << all[2];
  EXPECT_NE(all[3].find("pipeline.reduce_zero_label = true"), std::string::npos) << all[3];
  const Words set = {"segmenter.taps=[0,1,2,3]", "encoder.norm_epsilon=1e-5",
                     "pipeline.scale=[100,50]", "pipeline.reduce_zero_label=false"};
  EXPECT_TRUE(segmenter_assumptions(checkpoint, set).empty());
  EXPECT_EQ(segmenter_recipe(checkpoint, set).encoder.norm_epsilon, 1e-5);
  EXPECT_EQ(segmenter_assumptions(conv_vit(), {}).size(), 3u) << "a ConvViT has no taps";
}

TEST_F(SegmenterRecipe, OneThatIsCarriedCounts) {
  checkpoint::Checkpoint checkpoint = vit();
  checkpoint.state["recipe"] =
      recipe::print_recipe(segmenter_recipe(checkpoint, {"segmenter.taps=[3,2,1,0]"}));
  EXPECT_EQ(segmenter_recipe(checkpoint, {}).segment().segmenter.taps,
            (std::vector<int64_t>{3, 2, 1, 0}));
  EXPECT_TRUE(segmenter_assumptions(checkpoint, {}).empty());
  checkpoint.state["recipe"] = recipe::print_recipe(recipe::Recipe{});
  EXPECT_NE(
      formats::error_of([&] { segmenter_recipe(checkpoint, {}); }).find("another task's recipe"),
      std::string::npos);
}

// Files that are refused: other networks, segmenters of images that are not square (unless
// data.image_size is set), and segmenters where an encoder is expected.
class OtherSegmenter : public SegmenterRecipe {
 protected:
  std::string reason(checkpoint::Checkpoint checkpoint) {
    return formats::error_of([&] { segmenter_recipe(checkpoint, {}); });
  }
};

TEST_F(OtherSegmenter, WithoutOurEncoderOrHeadIsRefused) {
  const auto is = [](std::string_view ending) {
    return [ending](const TensorView& tensor) { return tensor.name.ends_with(ending); };
  };
  for (const auto& [missing, sentence] : std::vector<std::pair<std::string, std::string>>{
           {"backbone.pos_embed", "another encoder than this program has"},
           {"backbone.patch_embed.proj.weight", "another encoder than this program has"},
           {"fpn_bottleneck.conv.weight", "not a UperNet"},
           {"attn.relative_position_bias_table", "no relative positions"},
           {"attn.qkv.bias", "no bias (qkv.bias)"}}) {
    checkpoint::Checkpoint checkpoint = vit();
    std::erase_if(checkpoint.model.tensors, is(missing));
    const std::string why = reason(std::move(checkpoint));
    EXPECT_NE(why.find(sentence), std::string::npos) << missing << ": " << why;
    tensors_ = {};
  }
}

TEST_F(OtherSegmenter, ThatIsNoSquareWantsItsSize) {
  checkpoint::Checkpoint checkpoint = vit();
  for (TensorView& tensor : checkpoint.model.tensors) {  // 2 x 8 patches, not 4 x 4
    if (tensor.name.ends_with(kRelativeTable)) tensor.shape[0] = 3 * 15 + 3;
  }
  const std::string why =
      test::error_of(ExitCode::kUsage, [&] { segmenter_recipe(checkpoint, {}); });
  EXPECT_NE(why.find("data.image_size=[ROWS,COLUMNS]"), std::string::npos) << why;
  EXPECT_EQ(segmenter_recipe(checkpoint, {"data.image_size=[32,128]"}).data.image_size,
            (std::vector<int64_t>{32, 128}));
}

TEST_F(OtherSegmenter, IsRefusedAsAnEncoder) {
  const checkpoint::Checkpoint checkpoint = vit();
  EXPECT_NE(formats::error_of([&] { refuse_downstream(checkpoint); }).find("is a segmenter"),
            std::string::npos);
  checkpoint::Checkpoint encoder;
  const test::Tensors plain = test::small_vit();
  encoder.model.tensors = plain.views;
  EXPECT_NO_THROW(refuse_downstream(encoder));
}

}  // namespace
}  // namespace fcm::interop
