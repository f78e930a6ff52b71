// Configuration files that timm and Hugging Face write beside weights: values that are used (facts)
// and values that are refused.
#include "fcm/interop/facts.h"

#include <fstream>

#include "fcm/formats/safetensors.h"
#include "fcm/interop/load_any.h"
#include "fcm/interop/published_recipe.h"
#include "fcm/interop/transformers.h"
#include "tests/formats/support.h"
#include "tests/interop/vit_tensors.h"

namespace fcm::interop {
namespace {

using formats::error_of;
using formats::RecordingReporter;
using nlohmann::json;
using test::small_vit;
using Words = std::vector<std::string>;

json timm_config() {
  return {{"architecture", "vit_base_patch16_224"},
          {"model_args", {{"embed_dim", 8}, {"depth", 2}, {"num_heads", 2}, {"patch_size", 4}}},
          {"pretrained_cfg",
           {{"mean", {0.5, 0.5, 0.5}},
            {"std", {0.25, 0.5, 0.5}},
            {"interpolation", "bilinear"},
            {"crop_pct", 0.9},
            {"input_size", {3, 8, 8}}}}};
}

json hf_config() {
  return {{"model_type", "vit"},      {"hidden_size", 8},        {"num_hidden_layers", 2},
          {"num_attention_heads", 4}, {"layer_norm_eps", 1e-12}, {"hidden_act", "gelu"},
          {"image_size", 8},          {"patch_size", 4},         {"qkv_bias", true}};
}

class Facts : public formats::TemporaryFolderTest {
 protected:
  void put(const std::string& name, const json& content) {
    std::ofstream(folder_ / name) << content;
  }
  void put_weights(const std::string& name = "model.safetensors",
                   const std::map<std::string, std::string>& metadata = {}) {
    formats::write_safetensors(folder_ / name, small_vit().views, metadata);
  }
  checkpoint::Checkpoint load(const std::filesystem::path& path) {
    reporter_ = RecordingReporter();
    return load_any(path, false, reporter_);
  }
  static recipe::Recipe recipe_of(const checkpoint::Checkpoint& loaded, const Words& set = {}) {
    return published_recipe(*recognise(loaded.model.tensors), nullptr, set, "x", facts_in(loaded));
  }
  static Words assumed(const checkpoint::Checkpoint& loaded, const Words& set = {}) {
    return assumptions(recipe_of(loaded, set), *recognise(loaded.model.tensors),
                       loaded.state.value("args", json()), set, facts_in(loaded), false);
  }
  RecordingReporter reporter_;
};

TEST_F(Facts, OfTimmDecideTheRecipe) {
  put("config.json", timm_config());
  put_weights();
  const checkpoint::Checkpoint loaded = load(folder_);
  const recipe::Recipe recipe = recipe_of(loaded);
  EXPECT_EQ(recipe.encoder.heads, 2);
  EXPECT_EQ(recipe.encoder.norm_epsilon, 1e-6);
  EXPECT_EQ(recipe.data.mean, (std::vector<double>{0.5, 0.5, 0.5}));
  EXPECT_EQ(recipe.data.stddev, (std::vector<double>{0.25, 0.5, 0.5}));
  EXPECT_EQ(recipe.data.interpolation, "bilinear");
  EXPECT_EQ(recipe.data.image_size, (std::vector<int64_t>{8, 8}));
  EXPECT_EQ(facts_in(loaded).at("eval_crop"), 0.9);
  EXPECT_EQ(assumed(loaded), Words{});
  // --set takes precedence.
  EXPECT_EQ(recipe_of(loaded, {"encoder.heads=8", "data.mean=[0,0,0]"}).encoder.heads, 8);
}

TEST_F(Facts, OfHuggingFaceDecideTheRecipe) {
  put("config.json", hf_config());
  put("preprocessor_config.json",
      {{"image_mean", {0.5, 0.5, 0.5}}, {"image_std", 0.5}, {"resample", 2}});
  put_weights();
  const checkpoint::Checkpoint loaded = load(folder_);
  const recipe::Recipe recipe = recipe_of(loaded);
  EXPECT_EQ(recipe.encoder.heads, 4);
  EXPECT_EQ(recipe.encoder.norm_epsilon, 1e-12);
  EXPECT_EQ(recipe.data.mean, (std::vector<double>{0.5, 0.5, 0.5}));
  EXPECT_EQ(recipe.data.stddev, (std::vector<double>{0.5, 0.5, 0.5}));
  EXPECT_EQ(recipe.data.interpolation, "bilinear");
  EXPECT_EQ(assumed(loaded), Words{});
}

TEST_F(Facts, PixelsMayBeScaledOtherwise) {
  const auto normalisation = [](const json& preprocessor) {
    const json keys = facts_of(hf_config(), preprocessor).at("keys");
    return std::pair(keys.at("data.mean")[0].get<double>(),
                     keys.at("data.deviation")[0].get<double>());
  };
  const auto near = [](std::pair<double, double> got, double mean, double stddev) {
    EXPECT_NEAR(got.first, mean, 1e-12);
    EXPECT_NEAR(got.second, stddev, 1e-12);
  };
  near(normalisation({{"do_normalize", false}}), 0, 1);
  near(normalisation({{"do_rescale", false}, {"image_mean", 127.5}, {"image_std", 51}}), 0.5, 0.2);
  near(normalisation({{"rescale_factor", 1 / 127.5}, {"image_mean", 1}, {"image_std", 1}}), 0.5,
       0.5);
}

TEST_F(Facts, WhatIsNotWrittenIsAssumedWithALineEach) {
  put_weights("alone.safetensors");
  const checkpoint::Checkpoint loaded = load(folder_ / "alone.safetensors");
  const Words set = {"encoder.heads=2"};
  const Words lines = assumed(loaded, set);
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_NE(lines[0].find("--set data.mean="), std::string::npos);
  EXPECT_NE(lines[1].find("--set encoder.norm_epsilon="), std::string::npos);
  EXPECT_NE(lines[2].find("exact GELU"), std::string::npos);
  EXPECT_EQ(
      assumed(loaded, {"encoder.heads=2", "data.mean=[0,0,0]", "encoder.norm_epsilon=1e-5"}).size(),
      1U);
  // If nothing states the number of heads, the error asks for encoder.heads.
  EXPECT_NE(test::error_of(ExitCode::kUsage, [&] { recipe_of(loaded); }).find("encoder.heads=N"),
            std::string::npos);
  // A file with the arguments of an upstream program needs no assumption.
  checkpoint::Checkpoint published = load(folder_ / "alone.safetensors");
  published.state["args"] = {{"norm_pix_loss", true}};
  EXPECT_EQ(assumed(published, set), Words{});
}

TEST_F(Facts, AFileKnowsTheConfigurationBesideIt) {
  put("config.json", timm_config());
  put_weights();
  EXPECT_EQ(recipe_of(load(folder_ / "model.safetensors")).encoder.heads, 2);
  // A config.json of another model is reported as unused if the file is loaded, and is an error if
  // the folder is loaded.
  json other = timm_config();
  other["model_args"]["embed_dim"] = 768;
  put("config.json", other);
  EXPECT_TRUE(facts_in(load(folder_ / "model.safetensors")).empty());
  ASSERT_EQ(reporter_.infos.size(), 1U);
  EXPECT_NE(reporter_.infos[0].find("config.json says dim 768, the weights have 8"),
            std::string::npos);
  EXPECT_NE(error_of([&] { load(folder_); }).find("they do not belong together"),
            std::string::npos);
  // A config.json that is no JSON does not prevent loading the file, but it prevents loading the
  // folder.
  std::ofstream(folder_ / "config.json") << "port: 8080";
  EXPECT_NO_THROW(load(folder_ / "model.safetensors"));
  EXPECT_NE(error_of([&] { load(folder_); }).find("not a JSON object"), std::string::npos);
}

TEST_F(Facts, WhatNoNetworkHereDoesIsRefusedWhereItIsUsed) {
  const auto reason = [&](const json& config) {
    put("config.json", config);
    put_weights();
    const checkpoint::Checkpoint loaded = load(folder_);  // succeeds, so that names can be shown
    return error_of([&] { refuse_unsupported(loaded); });
  };
  const auto timm_with = [](const char* key, const json& value) {
    json config = timm_config();
    config["model_args"][key] = value;
    return config;
  };
  for (const char* activation : {"quick_gelu", "gelu_tanh", "silu", "relu"}) {
    EXPECT_NE(reason(timm_with("act_layer", activation)).find(activation), std::string::npos);
  }
  EXPECT_EQ(reason(timm_with("act_layer", "gelu")), "");
  EXPECT_EQ(reason(timm_with("norm_layer", "layernorm")), "");
  EXPECT_NE(reason(timm_with("norm_layer", "rmsnorm")).find("only have LayerNorm"),
            std::string::npos);
  EXPECT_NE(reason(timm_with("reg_tokens", 4)).find("register tokens"), std::string::npos);
  EXPECT_EQ(reason(timm_with("reg_tokens", 0)), "");
  json clip = timm_config();
  clip["architecture"] = "vit_base_patch16_clip_quickgelu_224";
  EXPECT_NE(reason(clip).find("quickgelu"), std::string::npos);
  for (const char* activation : {"quick_gelu", "gelu_new", "gelu_fast", "relu"}) {
    json config = hf_config();
    config["hidden_act"] = activation;
    EXPECT_NE(reason(config).find(activation), std::string::npos);
  }
  json config = hf_config();
  config["qkv_bias"] = false;
  EXPECT_NE(reason(config).find("qkv_bias"), std::string::npos);
  EXPECT_EQ(reason(hf_config()), "");
}

// A file may claim anything. Ignored are values of a wrong type or range, and keys that no
// configuration may set.
TEST_F(Facts, ClaimsAreCheckedBeforeTheyAreUsed) {
  put_weights("claims.safetensors", {{"facts", json{{"source", 5},
                                                    {"keys",
                                                     {{"encoder.heads", "many"},
                                                      {"data.mean", {1, 2}},
                                                      {"data.deviation", {0, 0, 0}},
                                                      {"encoder.norm_epsilon", -1},
                                                      {"run.seed", 3}}},
                                                    {"refused", {{"a", 1}}},
                                                    {"eval_crop", 40}}
                                                   .dump()}});
  const json facts = facts_in(load(folder_ / "claims.safetensors"));
  EXPECT_EQ(facts, (json{{"source", ""}}));
  put_weights("config.safetensors", {{"config", timm_config().dump()}});
  EXPECT_EQ(recipe_of(load(folder_ / "config.safetensors")).encoder.heads, 2);
  for (const json& config :
       {json::array(), json{{"model_type", 5}, {"image_size", {{"height", -1}}}},
        json{{"architecture", nullptr}, {"model_args", 3}, {"pretrained_cfg", {1}}}}) {
    EXPECT_NO_THROW(facts_of(config, json{{"image_mean", "x"}, {"resample", "y"}})) << config;
  }
}

class Shards : public Facts {
 protected:
  // Writes two files with half of the tensors each, and their index.
  void SetUp() override {
    vit_ = small_vit();
    put("config.json", hf_config());
    std::vector<formats::TensorView> halves[2];
    for (size_t i = 0; i < vit_.views.size(); ++i) {
      halves[i % 2].push_back(vit_.views[i]);
      index_["weight_map"][vit_.views[i].name] = name(i % 2);
    }
    for (size_t i = 0; i < 2; ++i) formats::write_safetensors(folder_ / name(i), halves[i], {});
    put_index();
  }
  static std::string name(size_t i) {
    return "model-0000" + std::to_string(i + 1) + "-of-00002.safetensors";
  }
  void put_index() { put("model.safetensors.index.json", index_); }

  test::Tensors vit_;
  json index_;
};

TEST_F(Shards, AreOneSetOfWeights) {
  const checkpoint::Checkpoint loaded = load(folder_);
  ASSERT_EQ(loaded.model.tensors.size(), test::kSmallVitTensors);
  for (const formats::TensorView& view : vit_.views) {
    const formats::TensorView* found = loaded.model.find(view.name);
    ASSERT_NE(found, nullptr) << view.name;
    EXPECT_TRUE(std::equal(view.bytes.begin(), view.bytes.end(), found->bytes.begin()));
  }
  EXPECT_EQ(verify_any(folder_), (std::vector<std::filesystem::path>{folder_}));
  EXPECT_EQ(load(folder_ / "model.safetensors.index.json").model.tensors.size(),
            test::kSmallVitTensors);
}

TEST_F(Shards, AnIndexNamesFilesBesideItAndNothingElse) {
  const std::string tensor = vit_.views[0].name;
  for (const char* file :
       {"../secret.safetensors", "/etc/passwd", "a/b.safetensors", "", "..", ".hidden", "a\\b"}) {
    index_["weight_map"][tensor] = file;
    put_index();
    EXPECT_NE(error_of([&] { load(folder_); }).find("a file in the same folder"), std::string::npos)
        << file;
  }
  index_["weight_map"][tensor] = 5;
  put_index();
  EXPECT_NE(error_of([&] { load(folder_); }).find("is 5, expected the name"), std::string::npos);
  index_["weight_map"][tensor] = "model-00003-of-00002.safetensors";
  put_index();
  EXPECT_NE(error_of([&] { load(folder_); }).find("not beside it"), std::string::npos);
  index_["weight_map"][tensor] = name(1);
  put_index();
  EXPECT_NE(error_of([&] { load(folder_); }).find("which does not have it"), std::string::npos);
  index_.erase("weight_map");
  put_index();
  EXPECT_NE(error_of([&] { load(folder_); }).find("no object weight_map"), std::string::npos);
}

TEST_F(Facts, AFolderWithABinFileIsRead) {
  put("config.json", hf_config());
  test::PthTree tree;
  const test::Tensors vit = small_vit();
  test::Tensors theirs;
  theirs.views = as_transformers(vit.views);
  theirs.add("pooler.dense.weight", {8, 8});
  const formats::Value root = tree.state_dict(theirs, "vit.");
  formats::write_pth(folder_ / "pytorch_model.bin", root, tree.tensors());
  const checkpoint::Checkpoint loaded = load(folder_);
  EXPECT_EQ(loaded.format, "hf");
  EXPECT_EQ(loaded.model.tensors.size(), test::kSmallVitTensors);
  EXPECT_EQ(recipe_of(loaded).encoder.heads, 4);
  ASSERT_EQ(reporter_.infos.size(), 1U);
  EXPECT_NE(reporter_.infos[0].find("leaves out tensors beside the network: pooler (1)"),
            std::string::npos)
      << reporter_.infos[0];
}

TEST_F(Facts, TheContentDecidesNotTheEnding) {
  put_weights("weights.pth");
  EXPECT_EQ(load(folder_ / "weights.pth").model.tensors.size(), test::kSmallVitTensors);
  test::PthTree tree;
  const test::Tensors vit = small_vit();
  const formats::Value root = tree.state_dict(vit);
  formats::write_pth(folder_ / "weights.safetensors", root, tree.tensors());
  EXPECT_EQ(load(folder_ / "weights.safetensors").format, "pth");
  std::filesystem::rename(folder_ / "weights.safetensors", folder_ / "blob");
  EXPECT_EQ(load(folder_ / "blob").format, "pth");
  EXPECT_EQ(verify_any(folder_ / "blob").size(), 1U);
  // If several files could be meant, the error lists them.
  const std::string error = error_of([&] { load(folder_); });
  EXPECT_NE(error.find("name it: weights.pth"), std::string::npos) << error;
}

}  // namespace
}  // namespace fcm::interop
