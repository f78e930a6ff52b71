// Encoders exported for other libraries by `checkpoint convert`, and read back by other commands.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/tasks/tasks.h"
#include "tests/tasks/child.h"

namespace fcm {
namespace {
namespace fs = std::filesystem;
using nlohmann::json;

class Backbone : public testing::Test {
 protected:
  void train(const char* recipe) {
    ASSERT_EQ(
        tests::wait_for(tests::start({"pretrain", "--recipe", recipe, "--data", "synthetic",
                                      "--out", run(), "--quiet", "--set", "run.max_steps=2"})),
        0);
  }
  std::string run() const { return (scratch_ / "run").string(); }
  json convert(const std::string& from, const char* out, const char* to) {
    return tasks::convert_checkpoint({{from, {}, {}}, to, scratch_ / out, false}, silence_);
  }
  ExitCode code_of_converting(const char* out, const char* to) {
    try {
      convert(run(), out, to);
    } catch (const Error& error) {
      return error.code();
    }
    return ExitCode::kDone;
  }
  json read(const fs::path& file) { return json::parse(read_file(file, ExitCode::kUsage)); }

  tests::Scratch scratch_;
  SilentReporter silence_;
};

bool of_pretraining(const std::string& name) {
  return name == "mask_token" || name.starts_with("decoder_") ||
         name.find("output_decode") != std::string::npos;
}

// Every exported tensor has the bits of the run. Only tensors that pretraining alone uses are
// missing.
void expect_its_encoder(const json& difference) {
  EXPECT_GT(difference.at("compared"), 20);
  EXPECT_TRUE(difference.at("tensors").empty()) << difference;
  EXPECT_TRUE(difference.at("only_in_second").empty()) << difference;
  const auto left_out = difference.at("only_in_first").get<std::vector<std::string>>();
  EXPECT_TRUE(std::all_of(left_out.begin(), left_out.end(), of_pretraining)) << difference;
  EXPECT_GT(left_out.size(), 5u);
}

TEST_F(Backbone, OfAVitIsReadBackFromEveryLayoutAndMeasuresTheSame) {
  train("smoke_mae_pretrain");
  const json before = tasks::knn("synthetic", {run(), {}, {}}, 20, {}, silence_);
  for (const auto& [to, out] : std::vector<std::pair<const char*, const char*>>{
           {"encoder", "encoder.pth"}, {"timm", "timm"}, {"transformers", "transformers"}}) {
    convert(run(), out, to);
    expect_its_encoder(tasks::diff_checkpoints(run(), scratch_ / out, silence_));
    EXPECT_EQ(tasks::knn("synthetic", {scratch_ / out, {}, {}}, 20, {}, silence_), before) << to;
    EXPECT_EQ(tasks::verify_checkpoint(scratch_ / out, silence_).at("sound"), true) << to;
    EXPECT_EQ(code_of_converting(out, to), ExitCode::kUsage) << "the output exists already";
  }
  // The transformers export, converted to timm's format, equals the direct export.
  convert((scratch_ / "transformers").string(), "again", "timm");
  EXPECT_EQ(tasks::diff_checkpoints(scratch_ / "timm", scratch_ / "again", silence_).at("equal"),
            true);
}

TEST_F(Backbone, ConfigurationsSayHowToBuildIt) {
  train("smoke_mae_pretrain");
  convert(run(), "timm", "timm");
  convert(run(), "transformers", "transformers");
  const json recipe = tasks::show_checkpoint(run(), silence_);
  const json timm = read(scratch_ / "timm" / "config.json");
  EXPECT_EQ(timm.at("num_classes"), 0);
  EXPECT_EQ(timm.at("model_args").at("depth"), 2);
  EXPECT_EQ(timm.at("pretrained_cfg").at("input_size"), json({3, 32, 32}));
  const json theirs = read(scratch_ / "transformers" / "config.json");
  EXPECT_EQ(theirs.at("model_type"), "vit");
  EXPECT_EQ(theirs.at("num_hidden_layers"), timm.at("model_args").at("depth"));
  EXPECT_EQ(theirs.at("hidden_size"), timm.at("model_args").at("embed_dim"));
  EXPECT_EQ(theirs.at("image_size"), 32);
  EXPECT_EQ(theirs.at("layer_norm_eps"), 1e-6);
  EXPECT_TRUE(fs::exists(scratch_ / "transformers" / "preprocessor_config.json"));
}

TEST_F(Backbone, OfAConvVitIsWhatPublishedFineTuningLoads) {
  train("smoke_pretrain");
  convert(run(), "encoder.pth", "encoder");
  expect_its_encoder(tasks::diff_checkpoints(run(), scratch_ / "encoder.pth", silence_));
  const json shown = tasks::show_checkpoint(scratch_ / "encoder.pth", silence_);
  std::vector<std::string> names;
  for (const json& tensor : shown.at("tensors")) names.push_back(tensor.at("name"));
  for (const char* name : {"pos_embed", "patch_embed1.proj.weight", "patch_embed4.weight",
                           "blocks1.0.conv1.weight", "blocks3.0.attn.qkv.weight", "norm.weight"}) {
    EXPECT_NE(std::find(names.begin(), names.end(), name), names.end()) << name;
  }
  // Neither library has a ConvViT.
  EXPECT_EQ(code_of_converting("timm", "timm"), ExitCode::kUsage);
  EXPECT_EQ(code_of_converting("transformers", "transformers"), ExitCode::kUsage);
  EXPECT_FALSE(fs::exists(scratch_ / "timm"));
}

}  // namespace
}  // namespace fcm
