// Checkpoints of this program and of the upstream programs, through the program's own commands.
#include "fcm/checkpoint/checkpoint.h"

#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/interop/load_any.h"
#include "fcm/tasks/tasks.h"
#include "tests/tasks/child.h"

namespace fcm {
namespace {
namespace fs = std::filesystem;
using nlohmann::json;
using tests::Scratch;
using tests::start;
using tests::wait_for;
using Words = std::vector<std::string>;

constexpr int kCheckpoint = static_cast<int>(ExitCode::kCheckpoint);

const fs::path kStored = fs::path(FCM_SOURCE_DIR) / "../shared/fixtures/checkpoints";

// The head counts of the tiny model in checkpoint-0.pth, which no tensor shows.
const Words kHeads = {"--set", "encoder.heads=4", "--set", "decoder.heads=4"};

Words with(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

class CheckpointFiles : public testing::Test {
 protected:
  int run(const Words& words) { return wait_for(start(words, 0, scratch_ / "output")); }
  std::string path(const char* name) const { return (scratch_ / name).string(); }
  // A run of this program that stopped after `steps`.
  void train(const char* name, int steps) {
    ASSERT_EQ(run({"pretrain", "--recipe", "smoke_pretrain", "--data", "synthetic", "--out",
                   path(name), "--quiet", "--set", "run.max_steps=" + std::to_string(steps)}),
              0);
  }
  json convert(const std::string& from, const char* out, const char* to, bool overwrite = false) {
    return tasks::convert_checkpoint({{from, {}, {}}, to, scratch_ / out, overwrite}, silence_);
  }
  json diff(const std::string& one, const std::string& other) {
    return tasks::diff_checkpoints(one, other, silence_);
  }
  json show(const std::string& what) { return tasks::show_checkpoint(what, silence_); }

  Scratch scratch_;
  SilentReporter silence_;
};

ExitCode code_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.code();
  }
  return ExitCode::kDone;
}

class PublishedFiles : public CheckpointFiles {
 protected:
  void SetUp() override {
    if (!fs::exists(kStored)) GTEST_SKIP() << "../shared/fixtures is absent";
  }
  static std::string stored(const char* name) { return (kStored / name).string(); }
};

TEST_F(CheckpointFiles, EveryFormatHoldsTheSameBits) {
  train("run", 3);
  const json recipe = show(path("run")).at("recipe");
  for (const auto& [to, out] : std::vector<std::pair<const char*, const char*>>{
           {"pth", "a.pth"}, {"safetensors", "b.safetensors"}, {"hf", "c"}, {"native", "d"}}) {
    convert(path("run"), out, to);
    const json difference = diff(path("run"), path(out));
    EXPECT_EQ(difference.at("equal"), true) << to;
    EXPECT_GT(difference.at("compared"), 50) << to;
    const bool moments = std::string(to) == "pth" || std::string(to) == "native";
    EXPECT_EQ(difference.at("moments_compared"), moments) << to;
    EXPECT_EQ(tasks::verify_checkpoint(path(out), silence_).at("sound"), true) << to;
    // Every format stores the recipe, so nothing has to be guessed.
    EXPECT_EQ(show(path(out)).at("recipe"), recipe) << to;
    // An existing file is replaced only on --overwrite, and only by a file of the same kind.
    EXPECT_EQ(code_of([&] { convert(path("run"), out, to); }), ExitCode::kUsage) << to;
    EXPECT_NO_THROW(convert(path("run"), out, to, true)) << to;
  }
  EXPECT_EQ(code_of([&] { convert(path("run"), "run", "hf", true); }), ExitCode::kUsage);
}

// A limit on the size of files acts like a full disk.
TEST_F(CheckpointFiles, AConversionThatFailsLeavesNoFolder) {
  train("run", 1);
  for (const char* to : {"native", "hf"}) {
    const int status =
        wait_for(start({"checkpoint", "convert", path("run"), path("a") + "/b", "--to", to}, 8192));
    EXPECT_EQ(status, kCheckpoint) << to;
    EXPECT_FALSE(fs::exists(scratch_ / "a")) << to;
  }
  fs::create_directories(scratch_ / "mine");
  EXPECT_EQ(
      wait_for(start({"checkpoint", "convert", path("run"), path("mine"), "--to", "native"}, 8192)),
      kCheckpoint);
  EXPECT_TRUE(fs::is_empty(scratch_ / "mine")) << "the folder existed before the command";
}

TEST_F(CheckpointFiles, AFolderThatCannotBeTheOutputIsASentenceBeforeAnyWork) {
  train("run", 1);
  convert(path("run"), "native", "native");
  const auto refused = [&](const std::string& from, const char* out, const char* to) {
    try {
      convert(from, out, to, true);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kUsage) << error.what();
      return std::string(error.what());
    }
    return std::string();
  };
  const auto holds = [](const std::string& text, const char* part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  for (const char* step : {"native/step-1", "native/step-1/model.safetensors"}) {
    holds(refused(path(step), "native", "native"), "holds the input");
  }
  holds(refused(path("run"), "native/step-1", "native"), "is one checkpoint");
  holds(refused(path("run"), "output/x", "native"), "output is a file, not a folder");
  holds(refused(path("run"), "none/x.pth", "pth"), "there is no folder");
  EXPECT_FALSE(fs::exists(scratch_ / "none"));
  EXPECT_NO_THROW(convert(path("run"), "native", "native", true));
}

// Each folder holds files with names that conversions use, but no conversion wrote the files.
TEST_F(CheckpointFiles, AnotherProgramsFolderIsNotReplaced) {
  train("run", 1);
  const auto put = [&](const char* name, const char* text) {
    fs::create_directories((scratch_ / name).parent_path());
    std::ofstream(scratch_ / name) << text;
  };
  put("project/config.json", R"({"port": 8080})");
  put("fetched/config.json", R"({"model_type": "vit"})");
  put("fetched/model.safetensors", "weights");
  put("notes/latest", "the news of today");
  for (const auto& [to, out] : std::vector<std::pair<const char*, const char*>>{
           {"hf", "project"}, {"hf", "fetched"}, {"native", "notes"}}) {
    EXPECT_EQ(code_of([&] { convert(path("run"), out, to, true); }), ExitCode::kUsage) << out;
  }
  EXPECT_EQ(read_file(scratch_ / "project" / "config.json", ExitCode::kUsage), R"({"port": 8080})");
  EXPECT_EQ(read_file(scratch_ / "fetched" / "model.safetensors", ExitCode::kUsage), "weights");
  EXPECT_EQ(read_file(scratch_ / "notes" / "latest", ExitCode::kUsage), "the news of today");
  EXPECT_FALSE(fs::exists(scratch_ / "notes" / "step-1"));
}

TEST_F(CheckpointFiles, DiffSaysWhatDiffers) {
  train("run", 3);
  train("other", 4);
  EXPECT_EQ(run({"checkpoint", "diff", path("run"), path("other")}), 1);
  EXPECT_EQ(run({"checkpoint", "diff", path("run"), path("run")}), 0);
  const json difference = diff(path("run"), path("other"));
  EXPECT_EQ(difference.at("equal"), false);
  ASSERT_FALSE(difference.at("tensors").empty());
  EXPECT_GT(difference.at("tensors").at(0).at("max_abs"), 0);
}

TEST_F(CheckpointFiles, VerifyFindsAFlippedBit) {
  train("run", 3);
  convert(path("run"), "a.pth", "pth");
  EXPECT_EQ(run({"checkpoint", "verify", path("run")}), 0);
  const fs::path native = scratch_ / "run" / "checkpoints" / "step-3" / "model.safetensors";
  for (const fs::path& file : {native, scratch_ / "a.pth"}) {
    std::string bytes = read_file(file, ExitCode::kCheckpoint);
    bytes[bytes.size() / 2] ^= 4;
    std::ofstream(file, std::ios::binary) << bytes;
  }
  EXPECT_EQ(run({"checkpoint", "verify", path("run")}), kCheckpoint);
  EXPECT_EQ(run({"checkpoint", "verify", path("a.pth")}), kCheckpoint);
}

TEST_F(CheckpointFiles, WhatIsNotThereIsAnError) {
  EXPECT_EQ(code_of([&] { show(path("absent")); }), ExitCode::kCheckpoint);
  EXPECT_EQ(code_of([&] { tasks::verify_checkpoint(path("absent"), silence_); }),
            ExitCode::kCheckpoint);
  EXPECT_EQ(code_of([&] { convert(path("absent"), "x.pth", "pth"); }), ExitCode::kCheckpoint);
  EXPECT_FALSE(fs::exists(scratch_ / "x.pth"));
}

// Loads the two tensor files of a checkpoint alone. The file of moments is refused, although its
// tensors have the shapes of weights.
TEST_F(CheckpointFiles, TheFilesOfACheckpointAreWhatTheyAre) {
  train("run", 2);
  const fs::path step = scratch_ / "run/checkpoints/step-2";
  const checkpoint::Checkpoint whole = interop::load_any(step, false, silence_);
  const auto weights = interop::load_any(step / "model.safetensors", false, silence_);
  EXPECT_EQ(weights.state.at("recipe"), whole.state.at("recipe"))
      << "the recipe comes from the manifest beside the file";
  EXPECT_EQ(weights.model.tensors.size(), whole.model.tensors.size());
  try {
    interop::load_any(step / "optimizer.safetensors", false, silence_);
    FAIL() << "moments were loaded as weights";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kCheckpoint);
    EXPECT_NE(std::string(error.what()).find("the state of an optimizer and no weights"),
              std::string::npos)
        << error.what();
    EXPECT_NE(std::string(error.what()).find("model.safetensors beside it"), std::string::npos)
        << error.what();
  }
  // A copy in another folder is an ordinary file of weights, without the state of the run.
  fs::copy_file(step / "model.safetensors", scratch_ / "model.safetensors");
  EXPECT_FALSE(interop::load_any(scratch_ / "model.safetensors", false, silence_)
                   .state.contains("optimizer_steps"));
}

TEST_F(CheckpointFiles, AFormatIsNamedOrKnownByItsEnding) {
  train("run", 1);
  EXPECT_EQ(convert(path("run"), "x.pth", "").at("to"), "pth");
  EXPECT_EQ(code_of([&] { convert(path("run"), "x", ""); }), ExitCode::kUsage);
}

// The fields of `checkpoint show --json` for an upstream file.
TEST_F(PublishedFiles, ShowTellsWhatIsInAPublishedFile) {
  const json shown = show(stored("checkpoint-0.pth"));
  EXPECT_EQ(shown.at("format"), "pth");
  EXPECT_EQ(shown.at("tensors").size(), 177U);
  EXPECT_EQ(shown.at("tensors").at(0),
            (json{{"name", "pos_embed"}, {"dtype", "F32"}, {"shape", {1, 196, 64}}}));
  EXPECT_EQ(shown.at("epoch"), 0);
  EXPECT_EQ(shown.at("step"), 2);
  EXPECT_EQ(shown.at("architecture").at("dims"), (json{32, 48, 64}));
  EXPECT_TRUE(shown.at("recipe").is_string());
  const int64_t tables = 196 * (64 + 32);
  EXPECT_EQ(shown.at("elements").get<int64_t>() - shown.at("parameters").get<int64_t>(), tables);
}

TEST_F(PublishedFiles, AFileThatIsNoModelIsShownAllTheSame) {
  const json shown = show(stored("views.pth"));
  EXPECT_TRUE(shown.at("architecture").is_null());
  EXPECT_FALSE(shown.at("tensors").empty());
}

TEST_F(PublishedFiles, ARunGoesOnHere) {
  // Sizes and number of epochs of the run that wrote the file. Its epochs had two steps.
  const Words recipe = {"--set", "encoder.size=custom",
                        "--set", "encoder.dims=[32,48,64]",
                        "--set", "encoder.depths=[1,1,2]",
                        "--set", "encoder.mlp_ratios=[4,4,4]",
                        "--set", "encoder.strides=[4,2,2]",
                        "--set", "decoder.dim=32",
                        "--set", "decoder.depth=8",
                        "--set", "decoder.mlp_ratio=4",
                        "--set", "data.image_size=[224,224]",
                        "--set", "data.channels=3",
                        "--set", "data.mean=[0.485,0.456,0.406]",
                        "--set", "data.deviation=[0.229,0.224,0.225]",
                        "--set", "optim.batch_size=32",
                        "--set", "optim.epochs=50",
                        "--set", "run.save_every_steps=1"};
  const Words command = {"pretrain", "--recipe",  "smoke_pretrain",
                         "--data",   "synthetic", "--quiet"};
  const Words words = with(with(command, recipe), kHeads);
  ASSERT_EQ(run(with(words, {"--out", path("dry"), "--dry-run", "--json"})), 0);
  const json dry = json::parse(read_file(scratch_ / "output", ExitCode::kUsage));
  const int64_t per_epoch = dry.at("images").get<int64_t>() / 32;
  const int64_t first = per_epoch + 1;
  EXPECT_EQ(run(with(words, {"--out", path("run"), "--resume", stored("checkpoint-0.pth"), "--set",
                             "run.max_steps=" + std::to_string(first)})),
            0);
  const checkpoint::Checkpoint after = interop::load_any(scratch_ / "run", false, silence_);
  EXPECT_EQ(after.step, first);                     // the stored run had finished epoch 0
  EXPECT_EQ(after.state.at("optimizer_steps"), 3);  // 2 from the file and 1 here
  EXPECT_EQ(after.state.at("scaler").at("_growth_tracker"), 2);
  // A file without moments cannot be resumed from.
  EXPECT_EQ(run(with(words, {"--out", path("other"), "--resume", stored("mini_model_only.pth")})),
            kCheckpoint);
}

TEST_F(PublishedFiles, AFileOfAnotherModelLeavesNoFolderBehind) {
  const Words words = {"pretrain",  "--recipe", "smoke_pretrain", "--data",    "synthetic",
                       "--threads", "1",        "--out",          path("run"), "--resume"};
  EXPECT_EQ(run(with(words, {(kStored / "checkpoint-0.pth").string()})), kCheckpoint);
  EXPECT_FALSE(fs::exists(path("run")));
  EXPECT_EQ(run(with(words, {"auto"})), 0);  // no folder was left
}

TEST_F(PublishedFiles, ImagesNeedADecoder) {
  const fs::path photos = kStored / "../transforms/photos";
  std::string photo;
  for (const auto& entry : fs::directory_iterator(photos)) photo = entry.path();
  const Words command = {"visualize", "--images", photo, "--out", path("sheet.png")};
  EXPECT_EQ(run(with(with(command, {"--checkpoint", stored("checkpoint-0.pth")}), kHeads)), 0);
  EXPECT_TRUE(fs::exists(scratch_ / "sheet.png"));

  const checkpoint::Checkpoint whole =
      interop::load_any(stored("checkpoint-0.pth"), false, silence_);
  std::vector<formats::TensorView> encoder;
  for (const auto& tensor : whole.model.tensors) {
    const bool decoder = tensor.name.starts_with("decoder") || tensor.name == "mask_token";
    if (!decoder) encoder.push_back(tensor);
  }
  checkpoint::save(scratch_ / "encoder", 0, encoder, {}, json::object(), {});
  const Words again = with(command, {"--overwrite"});
  EXPECT_EQ(run(with(with(again, {"--checkpoint", path("encoder")}), kHeads)), kCheckpoint);
}

}  // namespace
}  // namespace fcm
