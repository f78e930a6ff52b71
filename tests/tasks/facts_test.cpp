// Values in configuration files beside weights (facts) that the program uses for the recipe.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "fcm/base/error.h"
#include "fcm/formats/safetensors.h"
#include "fcm/interop/load_any.h"
#include "fcm/recipe/recipe_files.h"
#include "fcm/tasks/checkpoint_encoder.h"
#include "fcm/tasks/tasks.h"
#include "fcm/tasks/trained_model.h"
#include "tests/formats/support.h"
#include "tests/interop/vit_tensors.h"
#include "tests/tasks/child.h"

namespace fcm::tasks {
namespace {

using formats::RecordingReporter;
using nlohmann::json;
using Overrides = std::vector<std::string>;

class FactsInUse : public testing::Test {
 protected:
  // Writes the weights of a small ViT, with `config` and `preprocessor` beside them unless these
  // are null. Returns the path that --checkpoint takes.
  std::string folder(const char* name, const json& config, const json& preprocessor = nullptr) {
    const std::filesystem::path place = scratch_ / name;
    std::filesystem::create_directories(place);
    formats::write_safetensors(place / "model.safetensors", vit_.views, {});
    if (!config.is_null()) std::ofstream(place / "config.json") << config;
    if (!preprocessor.is_null()) {
      std::ofstream(place / "preprocessor_config.json") << preprocessor;
    }
    return config.is_null() ? (place / "model.safetensors").string() : place.string();
  }
  static json config(int64_t heads = 2) {
    return {{"model_type", "vit"},          {"hidden_size", 8},    {"num_hidden_layers", 2},
            {"num_attention_heads", heads}, {"patch_size", 4},     {"image_size", 8},
            {"layer_norm_eps", 1e-12},      {"hidden_act", "gelu"}};
  }
  TrainedModel load(const std::string& path, const Overrides& set = {}) {
    reporter_ = RecordingReporter();
    return load_trained_model({path, set, {}}, ModelUse::kFeatures, reporter_);
  }

  tests::Scratch scratch_;
  test::Tensors vit_ = test::small_vit();
  RecordingReporter reporter_;
};

TEST_F(FactsInUse, WhatIsWrittenIsUsedWithoutAWord) {
  const TrainedModel trained =
      load(folder("hf", config(4), {{"image_mean", 0.5}, {"image_std", 0.25}}));
  EXPECT_TRUE(reporter_.infos.empty()) << reporter_.infos[0];
  EXPECT_TRUE(reporter_.warnings.empty());
  EXPECT_EQ(trained.recipe.encoder.heads, 4);
  EXPECT_EQ(trained.recipe.encoder.norm_epsilon, 1e-12);
  EXPECT_EQ(trained.recipe.data.mean, (std::vector<double>{0.5, 0.5, 0.5}));
  EXPECT_EQ(trained.recipe.data.stddev, (std::vector<double>{0.25, 0.25, 0.25}));
  EXPECT_EQ(load(folder("hf", config(4)), {"encoder.heads=2"}).recipe.encoder.heads, 2);
}

TEST_F(FactsInUse, WhatIsAssumedIsSaidWithItsKeyUnlessItIsSet) {
  const std::string bare = folder("bare", nullptr);
  load(bare, {"encoder.heads=2"});
  EXPECT_EQ(reporter_.infos.size(), 3U);
  for (const std::string& line : reporter_.infos) {
    EXPECT_NE(line.find("model.safetensors does not say, so this is assumed: "), std::string::npos);
  }
  load(bare, {"encoder.heads=2", "data.mean=[0,0,0]", "data.deviation=[1,1,1]",
              "encoder.norm_epsilon=1e-5"});
  EXPECT_EQ(reporter_.infos.size(), 1U)
      << "only the note on the activation is left, because no key sets it";
}

TEST_F(FactsInUse, AnotherActivationMakesNoNetwork) {
  json quick = config();
  quick["hidden_act"] = "quick_gelu";
  const std::string path = folder("quick", quick);
  const std::string error = test::error_of(ExitCode::kCheckpoint, [&] { load(path); });
  EXPECT_NE(error.find("hidden_act = quick_gelu"), std::string::npos) << error;
  SilentReporter silence;  // names and shapes can still be shown
  EXPECT_EQ(show_checkpoint(path, silence).at("tensors").size(), test::kSmallVitTensors);
  EXPECT_TRUE(show_checkpoint(path, silence).at("recipe").is_null());
}

TEST_F(FactsInUse, ConversionsTakeThemAlong) {
  const std::string from = folder("hf", config(4), {{"image_mean", 0.5}, {"image_std", 0.25}});
  for (const auto& [to, out] :
       std::vector<std::pair<const char*, const char*>>{{"pth", "a.pth"},
                                                        {"safetensors", "b.safetensors"},
                                                        {"native", "c"},
                                                        {"hf", "d"},
                                                        {"transformers", "e"},
                                                        {"timm", "f"}}) {
    RecordingReporter reporter;
    convert_checkpoint({{from, {}, {}}, to, scratch_ / out, false}, reporter);
    const TrainedModel trained = load((scratch_ / out).string());
    EXPECT_EQ(trained.recipe.encoder.heads, 4) << to;
    EXPECT_EQ(trained.recipe.data.mean, (std::vector<double>{0.5, 0.5, 0.5})) << to;
    const bool timm = std::string(to) == "timm";  // always epsilon 1e-6, hence the warning
    EXPECT_EQ(trained.recipe.encoder.norm_epsilon, timm ? 1e-6 : 1e-12) << to;
    EXPECT_EQ(reporter.warnings.size(), timm ? 1U : 0U) << to;
    EXPECT_TRUE(reporter_.infos.empty()) << to << reporter_.infos[0];
  }
}

TEST_F(FactsInUse, RecipesThatNameTheirSizesAreComparedWithThem) {
  const Overrides sizes = {"encoder.size=custom", "model.kind=vit",       "encoder.dims=[8]",
                           "encoder.depths=[2]",  "encoder.strides=[4]",  "encoder.mlp_ratios=[4]",
                           "encoder.heads=2",     "data.image_size=[8,8]"};
  FinetuneRequest request;
  request.recipe = recipe::load_supervised_recipe(
      "smoke_finetune", {std::filesystem::path(FCM_SOURCE_DIR) / "recipes"}, sizes);
  request.set = sizes;
  const auto resolve = [&](const std::string& path) {
    reporter_ = RecordingReporter();
    const checkpoint::Checkpoint start = interop::load_any(path, false, reporter_);
    return resolved_recipe(request, &start, reporter_);
  };
  const std::string error =
      test::error_of(ExitCode::kUsage, [&] { resolve(folder("four", config(4))); });
  EXPECT_NE(error.find("encoder.heads = 4"), std::string::npos) << error;
  resolve(folder("two", config(2), {{"image_mean", 0.5}, {"image_std", 0.5}}));
  ASSERT_EQ(reporter_.warnings.size(), 3U);
  EXPECT_NE(reporter_.warnings[0].find("was trained with data.mean = [0.5,0.5,0.5]"),
            std::string::npos)
      << reporter_.warnings[0];
  EXPECT_NE(reporter_.warnings[2].find("encoder.norm_epsilon = 1e-12"), std::string::npos);
}

}  // namespace
}  // namespace fcm::tasks
