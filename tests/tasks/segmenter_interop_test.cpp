// Segmenters of this program and of mmsegmentation, in every command that takes a checkpoint.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/checkpoint/checkpoint.h"
#include "fcm/formats/pth.h"
#include "fcm/image/image.h"
#include "fcm/interop/load_any.h"
#include "fcm/interop/mmseg.h"
#include "fcm/models/segmenter.h"
#include "fcm/recipe/recipe_files.h"
#include "fcm/recipe/setup.h"
#include "fcm/tasks/tasks.h"
#include "fcm/tasks/trained_segmenter.h"
#include "tests/support/error_of.h"
#include "tests/support/recording_reporter.h"
#include "tests/support/safetensors.h"
#include "tests/tasks/child.h"

namespace fcm {
namespace {
namespace fs = std::filesystem;
using nlohmann::json;
using Words = std::vector<std::string>;

const fs::path kGoldenFolder = fs::path(FCM_SOURCE_DIR) / "../shared/goldens/segmentation";
const std::string kMmsegFile = (kGoldenFolder / "checkpoint_mmseg.pth").string();

// A run of this program after two steps, trained on first use.
std::string trained_run() {
  static const tests::Scratch scratch;
  static const int status = tests::wait_for(tests::start(
      {"finetune", "--recipe", "smoke_segment", "--from-scratch", "--data", "synthetic", "--out",
       (scratch / "run").string(), "--quiet", "--set", "run.max_steps=2"}));
  EXPECT_EQ(status, 0);
  return (scratch / "run").string();
}

class SegmenterFiles : public testing::Test {
 protected:
  int run(const Words& words) { return tests::wait_for(tests::start(words)); }
  std::string path(const char* name) const { return (scratch_ / name).string(); }
  json convert(const std::string& from, const char* out, const char* to, const Words& set = {}) {
    return tasks::convert_checkpoint({{from, set, {}}, to, scratch_ / out, false}, reporter_);
  }
  std::string refusal(ExitCode code, const std::string& from, const char* to) {
    const std::string kind = to;
    const bool one_file = kind == "encoder" || kind == "mmseg";
    return test::error_of(code, [&] { convert(from, one_file ? "no.pth" : "no", to); });
  }
  json diff(const std::string& one, const std::string& other) {
    return tasks::diff_checkpoints(one, other, reporter_);
  }
  static void require_goldens() {
    if (!fs::exists(kGoldenFolder)) GTEST_SKIP() << "../shared/goldens is absent";
  }

  tests::Scratch scratch_;
  test::RecordingReporter reporter_;
};

TEST_F(SegmenterFiles, OfThisProgramGoToEveryFormatAndBack) {
  for (const auto& [to, out] : std::vector<std::pair<const char*, const char*>>{
           {"mmseg", "m.pth"}, {"pth", "p.pth"}, {"safetensors", "s.safetensors"}}) {
    const json done = convert(trained_run(), out, to);
    EXPECT_EQ(done.at("to"), to);
    EXPECT_EQ(done.at("moments"), 0);
    const json difference = diff(trained_run(), path(out));
    EXPECT_EQ(difference.at("equal"), true) << to << difference;
    EXPECT_GT(difference.at("compared"), 100) << to;
    convert(path(out), (std::string(out) + ".native").c_str(), "native");
    const std::string native = path(out) + ".native";
    EXPECT_EQ(diff(trained_run(), native).at("equal"), true) << to;
    EXPECT_EQ(tasks::verify_checkpoint(path(out), reporter_).at("sound"), true);
    // The recipe and the classes are preserved.
    const json before = tasks::show_checkpoint(trained_run(), reporter_),
               after = tasks::show_checkpoint(native, reporter_);
    EXPECT_EQ(after.at("recipe"), before.at("recipe")) << to;
    EXPECT_EQ(after.at("trained_on"), before.at("trained_on")) << to;
    EXPECT_TRUE(before.at("architecture").is_object());
  }
  // A conversion from native to native preserves the moments.
  EXPECT_GT(convert(trained_run(), "n", "native").at("moments"), 100);
}

TEST_F(SegmenterFiles, OfThisProgramMeasureTheSameFromMmseg) {
  convert(trained_run(), "m.pth", "mmseg");
  const auto figures = [&](const std::string& from) {
    return tasks::eval({"synthetic", {from, {}, {}}, {}, 8, {}}, reporter_);
  };
  EXPECT_EQ(figures(path("m.pth")).at("mIoU"), figures(trained_run()).at("mIoU"));
}

TEST_F(SegmenterFiles, HaveNoPlaceInFormatsOfEncoders) {
  for (const char* to : {"hf", "encoder", "timm", "transformers"}) {
    const std::string from = trained_run();
    const std::string why = refusal(ExitCode::kUsage, from, to);
    EXPECT_NE(why.find("is a segmenter, whose encoder has relative positions"), std::string::npos)
        << to << ": " << why;
  }
  EXPECT_EQ(
      run({"checkpoint", "convert", trained_run(), path("m.zip"), "--to", "mmseg", "--quiet"}),
      static_cast<int>(ExitCode::kUsage));
}

TEST_F(SegmenterFiles, AreRefusedWhereAnEncoderIsWanted) {
  require_goldens();
  if (IsSkipped()) return;
  const int refused = static_cast<int>(ExitCode::kCheckpoint);
  for (const std::string& file : {trained_run(), kMmsegFile}) {
    const tasks::CheckpointRequest request{file, {}, {}};
    const auto is_refused = [&](const std::function<void()>& action) {
      return test::error_of(ExitCode::kCheckpoint, action).find("is a segmenter") !=
             std::string::npos;
    };
    EXPECT_TRUE(is_refused([&] { tasks::knn("synthetic", request, 5, {}, reporter_); }));
    EXPECT_TRUE(is_refused([&] { tasks::fast_linprobe("synthetic", request, {}, reporter_); }));
    EXPECT_TRUE(is_refused([&] {
      tasks::FeaturesRequest features;
      features.data = "synthetic";
      features.checkpoint = request;
      features.out = scratch_ / "f.npy";
      tasks::write_features(features, reporter_);
    }));
    for (const char* what : {"reconstruction", "attention", "neighbours"}) {
      EXPECT_TRUE(is_refused([&] {
        tasks::VisualizeRequest sheet;
        sheet.checkpoint = request;
        sheet.what = what;
        sheet.images = {"no.png"};
        sheet.data = "synthetic";
        sheet.out = scratch_ / "v.png";
        tasks::visualize(sheet, reporter_);
      }));
    }
    EXPECT_EQ(run({"finetune", "--recipe", "smoke_finetune", "--checkpoint", file, "--data",
                   "synthetic", "--out", path("classifier"), "--quiet"}),
              refused);
  }
  EXPECT_FALSE(fs::exists(path("classifier")));
}

class MmsegThroughCommands : public SegmenterFiles {
 protected:
  void SetUp() override { require_goldens(); }
};

TEST_F(MmsegThroughCommands, ThereAndBackIsEqual) {
  const json done = convert(kMmsegFile, "native", "native");
  EXPECT_EQ(done.at("tensors"), 162);
  EXPECT_TRUE(fs::exists(path("native") + "/step-16000"));
  convert(path("native"), "back.pth", "mmseg");
  EXPECT_EQ(diff(kMmsegFile, path("back.pth")).at("equal"), true);
  EXPECT_EQ(diff(kMmsegFile, path("native")).at("equal"), true);
  const auto meta = [&](const std::string& file) {
    return interop::load_any(file, false, reporter_).state.at(interop::kMetaKey);
  };
  EXPECT_EQ(meta(path("back.pth")), meta(kMmsegFile));
  EXPECT_NE(
      reporter_.warnings.front().find("a segmenter can only be resumed in its own run folder"),
      std::string::npos);
  const json shown = tasks::show_checkpoint(path("native"), reporter_);
  EXPECT_TRUE(shown.at("recipe").is_string()) << "the recipe is derived from the sizes";
  EXPECT_EQ(shown.at("architecture").at("classes"), 7);
  EXPECT_LT(shown.at("parameters"), shown.at("elements"))
      << "the running statistics are elements but not parameters";
  EXPECT_EQ(shown.at("step"), 16000);
  EXPECT_EQ(tasks::show_checkpoint(kMmsegFile, reporter_).at("step"), 16000);
  const checkpoint::Checkpoint kept = interop::load_any(path("native"), false, reporter_);
  EXPECT_FALSE(kept.state.contains("recipe")) << "the derived recipe is not stored";
}

TEST_F(MmsegThroughCommands, PredictsAndNamesItsClasses) {
  image::Image image{70, 90, 3, std::vector<uint8_t>(70 * 90 * 3)};
  for (size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = uint8_t(i * 7);
  image::write_png(scratch_ / "picture.png", image);
  tasks::predict({{kMmsegFile, {}, {}}, {path("picture.png")}, scratch_ / "out", false, {}},
                 reporter_);
  std::ifstream stream(scratch_ / "out" / "results.json");
  const json results = json::parse(stream);
  const std::set<std::string> names = {"wall", "building", "sky", "floor",
                                       "tree", "ceiling",  "road"};
  ASSERT_FALSE(results.at(0).at("classes").empty());
  for (const json& one : results.at(0).at("classes")) {
    EXPECT_TRUE(names.contains(one.at("class"))) << one;
  }
  const auto said = [&](std::string_view words) {
    return std::any_of(reporter_.infos.begin(), reporter_.infos.end(),
                       [&](const std::string& line) { return line.find(words) != line.npos; });
  };
  EXPECT_TRUE(said("does not say, so this is assumed: encoder.norm_epsilon = 1e-05"));
}

TEST_F(MmsegThroughCommands, IsWhereASegmenterStarts) {
  ASSERT_EQ(run({"finetune", "--recipe", "smoke_segment", "--checkpoint", kMmsegFile, "--data",
                 "synthetic", "--out", path("run"), "--quiet", "--set", "run.max_steps=1", "--set",
                 "segmenter.channels=6", "--set", "segmenter.aux_channels=4"}),
            0);
  const checkpoint::Checkpoint after = interop::load_any(path("run"), false, reporter_);
  EXPECT_EQ(after.step, 1);
  EXPECT_EQ(after.state.at("pretrained_on").at("classes").size(), 7u);
  EXPECT_FALSE(after.state.contains(interop::kMetaKey))
      << "training must change the weights of the file";
}

TEST_F(MmsegThroughCommands, OnlySegmentersGoToMmseg) {
  ASSERT_EQ(run({"pretrain", "--recipe", "smoke_pretrain", "--data", "synthetic", "--out",
                 path("plain"), "--quiet", "--set", "run.max_steps=1"}),
            0);
  const std::string why = refusal(ExitCode::kUsage, path("plain"), "mmseg");
  EXPECT_NE(why.find("is not a segmenter"), std::string::npos) << why;
}

// A pretraining file loaded into a segmenter: the unused tensors, and the parameters that keep
// their initial values, are those that the upstream loader lists.
TEST_F(MmsegThroughCommands, APretrainingFileFillsTheBackbone) {
  std::ifstream stream(kGoldenFolder / "manifest.json");
  const json golden = json::parse(stream).at("files").at("pretrained.safetensors");
  recipe::Recipe recipe = recipe::load_recipe(
      "smoke_segment", {fs::path(FCM_SOURCE_DIR) / "recipes" / "smoke"},
      {"encoder.size=custom", "encoder.strides=[4,2,2]", "encoder.dims=[8,12,24]",
       "encoder.depths=[2,1,3]", "encoder.heads=3", "encoder.mlp_ratios=[4,4,4]",
       "data.image_size=[80,80]", "segmenter.channels=12", "segmenter.aux_channels=6"});
  models::Segmenter model(recipe::segmenter_options(recipe, 7), 0);
  constexpr double kMark = 7.25;  // neither an initial value nor a value in the file
  for (const nn::Parameter& parameter : model.parameters().all()) {
    at::Tensor value = parameter.value;
    value.detach().fill_(kMark);
  }
  checkpoint::Checkpoint file =
      interop::load_any(kGoldenFolder / "pretrained.pth", false, reporter_);
  std::set<std::string> there;
  for (const formats::TensorView& tensor : file.model.tensors) there.insert(tensor.name);
  tasks::load_segmenter_start(model, std::move(file), {}, reporter_, {});

  std::set<std::string> kept, filled;
  for (const nn::Parameter& parameter : model.parameters().all()) {
    const bool marked = parameter.value.eq(kMark).all().item<bool>();
    if (!parameter.name.starts_with("backbone.")) {
      EXPECT_TRUE(marked) << parameter.name;
    } else {
      (marked ? kept : filled).insert(parameter.name.substr(9));
    }
  }
  std::set<std::string> missing = golden.at("missing"), unexpected;
  std::erase_if(missing, [](const std::string& name) { return name.ends_with("_index"); });
  missing.insert("fpn.1.num_batches_tracked");  // which PyTorch never reports as missing
  EXPECT_EQ(kept, missing);
  std::set_difference(there.begin(), there.end(), filled.begin(), filled.end(),
                      std::inserter(unexpected, unexpected.end()));
  EXPECT_EQ(unexpected, golden.at("unexpected").get<std::set<std::string>>());

  const at::Tensor wanted =
      test::read_safetensors((kGoldenFolder / "pretrained.safetensors").string()).at("pos_embed");
  for (const nn::Parameter& parameter : model.parameters().all()) {
    if (parameter.name != "backbone.pos_embed") continue;
    const at::Tensor found = model.parameters().published(parameter);
    EXPECT_LE((found - wanted).abs().max().item<float>(), 3e-5F * wanted.abs().max().item<float>());
  }
}

}  // namespace
}  // namespace fcm
