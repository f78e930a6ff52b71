// Configuration files beside weights with unusual keys, units and nesting: how they are read and
// reported.
#include <fstream>

#include "fcm/formats/safetensors.h"
#include "fcm/interop/facts.h"
#include "fcm/interop/json_file.h"
#include "fcm/interop/load_any.h"
#include "fcm/interop/published_recipe.h"
#include "tests/formats/support.h"
#include "tests/interop/vit_tensors.h"

namespace fcm::interop {
namespace {

using nlohmann::json;

class FactsWords : public formats::TemporaryFolderTest {
 protected:
  using Words = std::vector<std::string>;

  void SetUp() override {
    formats::write_safetensors(folder_ / "model.safetensors", test::small_vit().views, {});
    hf_ = {{"model_type", "vit"},      {"hidden_size", 8},        {"num_hidden_layers", 2},
           {"num_attention_heads", 4}, {"layer_norm_eps", 1e-12}, {"image_size", 8},
           {"patch_size", 4}};
    timm_ = {{"architecture", "vit_base_patch16_224"},
             {"model_args", {{"embed_dim", 8}, {"depth", 2}, {"num_heads", 2}, {"patch_size", 4}}},
             {"pretrained_cfg", {{"mean", {0.5, 0.5, 0.5}}, {"std", {0.5, 0.5, 0.5}}}}};
  }
  void put(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
  }
  checkpoint::Checkpoint load(const json& config, const json& preprocessor = nullptr,
                              const std::string& file = "preprocessor_config.json") {
    for (const char* name : {"preprocessor_config.json", "processor_config.json"}) {
      std::filesystem::remove(folder_ / name);
    }
    put("config.json", config.dump());
    if (!preprocessor.is_null()) put(file, preprocessor.dump());
    formats::RecordingReporter reporter;
    return load_any(folder_, false, reporter);
  }
  static recipe::Recipe recipe_of(const checkpoint::Checkpoint& loaded, const Words& set = {}) {
    refuse_unsupported(loaded, set);
    return published_recipe(*recognise(loaded.model.tensors), nullptr, set, "x", facts_in(loaded));
  }
  recipe::Recipe of_images(const json& preprocessor) { return recipe_of(load(hf_, preprocessor)); }
  recipe::Recipe of_timm(const char* key, const json& value) {
    json config = timm_;
    config["pretrained_cfg"][key] = value;
    return recipe_of(load(config));
  }
  // All notes on the facts of a checkpoint, concatenated.
  static std::string said(const checkpoint::Checkpoint& loaded, const Words& set = {}) {
    std::string all;
    for (const std::string& line : notes_in(facts_in(loaded), set)) all += line;
    return all;
  }
  static Words assumed(const checkpoint::Checkpoint& loaded) {
    return assumptions(recipe_of(loaded), *recognise(loaded.model.tensors), nullptr, {},
                       facts_in(loaded), false);
  }
  std::string refused(const checkpoint::Checkpoint& loaded, const Words& set = {}) {
    return formats::error_of([&] { recipe_of(loaded, set); });
  }
  static void expect(const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), text.npos) << text;
  }

  json hf_, timm_;
};

TEST_F(FactsWords, ImagesWhoseBlueComesFirstAreRefused) {
  for (const json& one : {json{{"do_flip_channel_order", true}}, json{{"channel_order", "BGR"}},
                          json{{"do_flip_channel_order", "true"}}, json{{"image_mode", "bgr"}}}) {
    const auto loaded = load(hf_, one);
    expect(refused(loaded), "with blue first");
    expect(refused(loaded), "preprocessor_config.json says " + one.begin().key());
  }
  EXPECT_EQ(refused(load(hf_, {{"do_flip_channel_order", false}, {"image_mode", "RGB"}})), "");
}

TEST_F(FactsWords, AFilterThatIsNotHereIsSaidWithItsKey) {
  for (const auto& [value, name] :
       std::vector<std::pair<json, std::string>>{{1, "resample = 1 (lanczos)"},
                                                 {0, "resample = 0 (nearest)"},
                                                 {5, "(hamming)"},
                                                 {"box", "resample = \"box\", which"},
                                                 {77, "resample = 77, which"}}) {
    const auto loaded = load(hf_, {{"resample", value}});
    expect(said(loaded), name);
    expect(said(loaded), "--set data.interpolation=bilinear");
    EXPECT_EQ(said(loaded, {"data.interpolation=bilinear"}), "");
    EXPECT_EQ(recipe_of(loaded).data.interpolation, "bicubic");
  }
  for (const json& value : {json(2), json("2"), json("bilinear"), json("PIL.Image.BILINEAR")}) {
    EXPECT_EQ(of_images({{"resample", value}}).data.interpolation, "bilinear") << value;
  }
  json config = timm_;
  config["pretrained_cfg"]["interpolation"] = "lanczos";
  expect(said(load(config)), "config.json says pretrained_cfg.interpolation = \"lanczos\", which");
}

TEST_F(FactsWords, PixelsWithAnOffsetAndPixelsUpTo255) {
  const auto expect_near = [](const recipe::Recipe& recipe, double mean, double stddev) {
    for (size_t i = 0; i < 3; ++i) {
      EXPECT_NEAR(recipe.data.mean.at(i), mean, 1e-9);
      EXPECT_NEAR(recipe.data.stddev.at(i), stddev, 1e-9);
    }
  };
  // p / 127.5 - 1 = (p / 255 - 0.5) / 0.5.
  for (const char* name : {"offset", "rescale_offset"}) {
    expect_near(of_images({{"rescale_factor", 1 / 127.5}, {name, true}, {"do_normalize", false}}),
                0.5, 0.5);
  }
  // (p / 255 - 1 - 0.25) / 0.5 has the mean 1.25.
  expect_near(of_images({{"offset", true}, {"image_mean", 0.25}, {"image_std", 0.5}}), 1.25, 0.5);
  expect_near(of_images({{"rescale_factor", "0.00392156862745098"},
                         {"image_mean", "0.5"},
                         {"image_std", {"0.25"}}}),
              0.5, 0.25);
  json config = timm_;
  config["pretrained_cfg"]["mean"] = {127.5, 127.5, 127.5};
  config["pretrained_cfg"]["std"] = {51, 51, 51};
  const auto loaded = load(config);
  expect_near(recipe_of(loaded), 0.5, 0.2);
  expect(said(loaded), "read as values for pixels from 0 to 255: data.mean = [0.5,0.5,0.5]");
  EXPECT_EQ(said(loaded, {"data.mean=[0,0,0]"}), "");
  config["pretrained_cfg"]["std"] = {0.2, 0.2, 0.2};
  expect(refused(load(config)), "which do not fit one range of pixels");
  config["pretrained_cfg"]["mean"] = {0, 0, 0};
  config["pretrained_cfg"]["std"] = {255, 255, 255};
  expect_near(recipe_of(load(config)), 0, 1);
}

TEST_F(FactsWords, ANormalisationThatCannotBeIsRefusedUnlessItIsSet) {
  const json hf = {{"image_mean", {0.5, 0.5, 0.5}}};
  for (const json& stddev : {json{0, 0, 0}, json{0.5, -0.5, 0.5}, json("x"), json{0.5, "x", 0.5},
                             json{0.5, 0.5, 0.5, 0.5}, json(0), json(nullptr)}) {
    json preprocessor = hf;
    preprocessor["image_std"] = stddev;
    const auto loaded = load(hf_, preprocessor);
    if (stddev.is_null()) {
      EXPECT_EQ(refused(loaded), "");
      continue;
    }
    expect(refused(loaded), "preprocessor_config.json says image_std = " + stddev.dump());
    expect(refused(loaded), "--set data.deviation=");
    EXPECT_EQ(refused(loaded, {"data.deviation=[1,1,1]"}), "");
  }
  const auto two = load(hf_, {{"image_mean", {0.5, 0.5}}, {"image_std", {0.5, 0.5}}});
  expect(refused(two), "image_mean = [0.5,0.5], and the weights take images of 3 channels");
  expect(refused(load(hf_, {{"rescale_factor", 0}})), "rescale_factor = 0, expected");
}

TEST_F(FactsWords, OneNumberIsForAllChannelsAndIsNotAssumed) {
  for (const json& one : {json(0.5), json{0.5}, json("0.5")}) {
    const auto loaded = load(hf_, {{"image_mean", one}, {"image_std", one}});
    EXPECT_EQ(recipe_of(loaded).data.mean, (std::vector<double>{0.5, 0.5, 0.5})) << one;
    EXPECT_EQ(recipe_of(loaded).data.stddev, (std::vector<double>{0.5, 0.5, 0.5})) << one;
    EXPECT_EQ(assumed(loaded), Words{}) << one;
    EXPECT_EQ(facts_in(loaded).at("keys").at("data.mean").size(), 3U);
  }
  const auto mean_alone = load(hf_, {{"image_mean", 0.5}});
  EXPECT_EQ(recipe_of(mean_alone).data.mean, (std::vector<double>{0.5, 0.5, 0.5}));
  ASSERT_EQ(assumed(mean_alone).size(), 1U);
  expect(assumed(mean_alone)[0], "ImageNet's data.deviation (--set data.deviation=");
  EXPECT_EQ(of_timm("mean", 0.25).data.mean, (std::vector<double>{0.25, 0.25, 0.25}));
}

TEST_F(FactsWords, ConfigurationsInsideOthersAreFound) {
  json inner = hf_;
  inner.erase("model_type");
  for (const char* name : {"encoder", "vision_config", "backbone_config", "vision_encoder"}) {
    const json outer = {{"model_type", "several"},
                        {name, inner},
                        {"text_config", {{"hidden_size", 3}}},
                        {"decoder", {{"hidden_size", 5}, {"num_attention_heads", 5}}}};
    EXPECT_EQ(recipe_of(load(outer)).encoder.heads, 4) << name;
    EXPECT_EQ(recipe_of(load(outer)).encoder.norm_epsilon, 1e-12) << name;
  }
  json language = {{"hidden_size", 4096}, {"num_attention_heads", 32}, {"vision_config", inner}};
  EXPECT_EQ(recipe_of(load(language)).encoder.heads, 4);
  language["vision_config"]["num_attention_heads"] = 3;
  expect(refused(load(language)), "config.json says vision_config.num_attention_heads = 3, which");
  const json images = {{"image_mean", 0.25}, {"image_std", 0.5}};
  for (const char* file : {"preprocessor_config.json", "processor_config.json"}) {
    const auto loaded = load(hf_, {{"image_processor", images}, {"processor_class", "x"}}, file);
    EXPECT_EQ(recipe_of(loaded).data.mean[0], 0.25) << file;
    EXPECT_EQ(recipe_of(loaded).data.stddev[0], 0.5) << file;
  }
  EXPECT_EQ(recipe_of(load(hf_, images, "processor_config.json")).data.mean[0], 0.25);
}

TEST_F(FactsWords, NumbersMayStandAsText) {
  hf_["num_attention_heads"] = "2";
  hf_["layer_norm_eps"] = "1e-5";
  hf_["hidden_size"] = "8";
  hf_["qkv_bias"] = "true";
  EXPECT_EQ(recipe_of(load(hf_)).encoder.heads, 2);
  EXPECT_EQ(recipe_of(load(hf_)).encoder.norm_epsilon, 1e-5);
  hf_["num_attention_heads"] = " 2 ";
  EXPECT_EQ(recipe_of(load(hf_)).encoder.heads, 2);
  hf_["num_attention_heads"] = 4.0;
  EXPECT_EQ(recipe_of(load(hf_)).encoder.heads, 4);
  hf_["hidden_size"] = "768";
  expect(formats::error_of([&] { load(hf_); }), "config.json says dim 768, the weights have 8");
}

TEST_F(FactsWords, HeadsThatCannotBeAreTheFilesFault) {
  for (const json& heads : {json(3), json(0), json(-2), json("many"), json(1.5), json("3")}) {
    hf_["num_attention_heads"] = heads;
    const auto loaded = load(hf_);  // loading succeeds, so that names can be shown
    expect(refused(loaded), "config.json says num_attention_heads = " + heads.dump());
    expect(refused(loaded), "--set encoder.heads=");
    EXPECT_EQ(recipe_of(loaded, {"encoder.heads=2"}).encoder.heads, 2);
  }
  timm_["model_args"]["num_heads"] = 5;
  expect(refused(load(timm_)),
         "config.json says model_args.num_heads = 5, which does not divide the 8 channels");
  hf_["num_attention_heads"] = 4;
  hf_["layer_norm_eps"] = "small";
  expect(refused(load(hf_)), "layer_norm_eps = \"small\", expected a number");
}

TEST_F(FactsWords, AnotherWayToTheSizeIsSaid) {
  json config = timm_;
  config["pretrained_cfg"]["crop_pct"] = 0.9;
  expect(said(load(config)), "config.json says pretrained_cfg.crop_pct = 0.9: eval crops");
  EXPECT_EQ(said(load(timm_)), "");
  config["pretrained_cfg"]["crop_pct"] = 1.0;
  config["pretrained_cfg"]["crop_mode"] = "squash";
  expect(said(load(config)), "crop_mode = \"squash\", where this program takes the centre crop");
  const auto cropped = load(hf_, {{"size", {{"shortest_edge", 256}}},
                                  {"crop_size", {{"height", 224}, {"width", 224}}},
                                  {"do_center_crop", true}});
  EXPECT_EQ(facts_in(cropped).at("eval_crop"), 0.875);
  expect(said(cropped), "size = {\"shortest_edge\":256} and crop_size");
  expect(said(load(hf_, {{"size", {{"height", 8}, {"width", 8}}}})), "squeezed");
}

// Facts, notes and reasons for refusals are stored with the weights when these are converted.
TEST_F(FactsWords, NotesAndReasonsAreKeptWithTheWeights) {
  const auto loaded = load(hf_, {{"resample", 1}, {"image_std", 0}});
  formats::write_safetensors(folder_ / "other.safetensors", loaded.model.tensors,
                             {{"facts", facts_in(loaded).dump()}});
  formats::RecordingReporter reporter;
  const auto again = load_any(folder_ / "other.safetensors", false, reporter);
  EXPECT_EQ(facts_in(again), facts_in(loaded));
  EXPECT_EQ(said(again), said(loaded));
  expect(refused(again), "image_std = 0");
}

TEST(JsonFile, AFaultIsNamedWithItsPlace) {
  const auto fault = [](const std::string& text) {
    return parse_json_object(text, "c.json").fault;
  };
  EXPECT_EQ(fault("{\"a\": 1}"), "");
  EXPECT_EQ(fault("{\n  \"a\": NaN\n}"),
            "c.json is not a JSON object: line 2, column 8: NaN is not a JSON number");
  EXPECT_EQ(fault("{\"a\": -Infinity}"),
            "c.json is not a JSON object: line 1, column 8: -Infinity is not a JSON number");
  EXPECT_EQ(fault("{\n \"a\": 1,\n}"),
            "c.json is not a JSON object: line 3, column 1: there is a trailing comma");
  EXPECT_EQ(fault("{\"a\": [1, ]}"),
            "c.json is not a JSON object: line 1, column 11: there is a trailing comma");
  EXPECT_EQ(fault("{ // heads\n\"a\": 1}"),
            "c.json is not a JSON object: line 1, column 3: JSON has no comments");
  EXPECT_EQ(fault("{\"a\": True}"),
            "c.json is not a JSON object: line 1, column 7: True is Python's word; JSON has true, "
            "false and null");
  EXPECT_EQ(fault("{'a': 1}"),
            "c.json is not a JSON object: line 1, column 2: JSON has double quotes, \", only");
  EXPECT_EQ(fault("{\"a\": 1"),
            "c.json is not a JSON object: line 1, column 8: the text ends there: it was cut, or a "
            "bracket is missing");
  EXPECT_EQ(fault(""), "c.json is not a JSON object: it is empty");
  EXPECT_EQ(fault("[1]"), "c.json is not a JSON object: it holds an array");
  EXPECT_EQ(fault(std::string("\xff\xfe{\0", 4)),
            "c.json is not a JSON object: it is UTF-16, expected UTF-8");
}

}  // namespace
}  // namespace fcm::interop
