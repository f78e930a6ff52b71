// `finetune` and `eval` as a user runs them.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <thread>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/train/run_log.h"
#include "tests/tasks/child.h"

namespace fcm {
namespace {
namespace fs = std::filesystem;
using tests::Scratch;
using tests::start;
using tests::wait_for;

std::vector<std::string> smoke_finetune(const fs::path& out,
                                        const std::vector<std::string>& more = {}) {
  std::vector<std::string> words = {"finetune",  "--recipe", "smoke_finetune", "--data",
                                    "synthetic", "--out",    out.string(),     "--quiet",
                                    "--threads", "1"};
  if (std::find(more.begin(), more.end(), "--checkpoint") == more.end()) {
    words.push_back("--from-scratch");
  }
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

nlohmann::json json_of(const fs::path& file) {
  return nlohmann::json::parse(read_file(file, ExitCode::kUsage));
}

TEST(Finetune, AfterPretrainingLeavesARunAndABestEpoch) {
  const Scratch scratch;
  ASSERT_EQ(
      wait_for(start({"pretrain", "--recipe", "smoke_pretrain", "--data", "synthetic", "--out",
                      (scratch / "pretrained").string(), "--quiet", "--set", "run.max_steps=2"})),
      0);
  // One epoch is 8 steps of 256 images.
  ASSERT_EQ(wait_for(start(
                smoke_finetune(scratch / "run", {"--checkpoint", (scratch / "pretrained").string(),
                                                 "--set", "optim.batch_size=256"}))),
            0);
  for (const char* name :
       {"recipe.toml", "log.jsonl", "report.html", "checkpoints/latest", "best/latest"}) {
    EXPECT_TRUE(fs::exists(scratch / "run" / name)) << name;
  }
  const nlohmann::json result = json_of(scratch / "run" / "result.json");
  EXPECT_EQ(result.at("images"), 512);
  const nlohmann::json epoch = train::read_log(scratch / "run" / "log.jsonl").back();
  EXPECT_EQ(epoch.at("epoch"), 0);
  EXPECT_EQ(epoch.at("test_acc1"), result.at("top1"));
  EXPECT_EQ(epoch.at("test_images"), 512);
  EXPECT_GT(epoch.at("train_seconds"), 0.0);
  ASSERT_EQ(wait_for(start({"eval", "--data", "synthetic", "--checkpoint", scratch / "run/best",
                            "--out", scratch / "measured", "--quiet"},
                           0, scratch / "stdout")),
            0);
  EXPECT_EQ(json_of(scratch / "measured" / "result.json").at("top1"), result.at("top1"));
}

// The bytes of all tensors in the checkpoint of step 12: weights, moments, moving average.
std::string weights(const fs::path& out) {
  const fs::path last = out / "checkpoints" / "step-12";
  return read_file(last / "model.safetensors", ExitCode::kCheckpoint) +
         read_file(last / "optimizer.safetensors", ExitCode::kCheckpoint);
}

std::vector<std::string> twelve_steps(const fs::path& out) {
  return smoke_finetune(out, {"--set", "run.max_steps=12", "--set", "run.save_every_steps=2"});
}

TEST(Finetune, InChunksTheBitsAreTheSame) {
  const Scratch scratch;
  ASSERT_EQ(wait_for(start(twelve_steps(scratch / "whole"))), 0);
  EXPECT_NE(weights(scratch / "whole").find("ema.head.weight"), std::string::npos)
      << "the test needs a recipe with a moving average";
  ASSERT_EQ(wait_for(start(smoke_finetune(scratch / "pieces", {"--set", "run.max_steps=5"}))), 0);
  ASSERT_EQ(wait_for(start(twelve_steps(scratch / "pieces"))), 0);
  EXPECT_EQ(weights(scratch / "pieces"), weights(scratch / "whole"));
  // Negative control: another seed gives other weights.
  ASSERT_EQ(wait_for(start(
                smoke_finetune(scratch / "other", {"--set", "run.max_steps=12", "--seed", "1"}))),
            0);
  EXPECT_NE(weights(scratch / "other"), weights(scratch / "whole"));
}

TEST(Finetune, KilledAndStoppedBetweenTheBitsAreTheSame) {
  const Scratch scratch;
  ASSERT_EQ(wait_for(start(twelve_steps(scratch / "whole"))), 0);
  const auto wait_for_step = [&](const char* step) {
    while (!fs::exists(scratch / "broken" / "checkpoints" / step)) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  };
  pid_t child = start(twelve_steps(scratch / "broken"));
  wait_for_step("step-4");
  ::kill(child, SIGKILL);
  ASSERT_EQ(wait_for(child), 128 + SIGKILL);
  child = start(twelve_steps(scratch / "broken"));
  wait_for_step("step-8");
  ::kill(child, SIGTERM);
  const int status = wait_for(child);
  ASSERT_TRUE(status == static_cast<int>(ExitCode::kStopped) || status == 0) << status;
  ASSERT_EQ(wait_for(start(twelve_steps(scratch / "broken"))), 0);
  EXPECT_EQ(weights(scratch / "broken"), weights(scratch / "whole"));
  EXPECT_EQ(json_of(scratch / "broken" / "result.json").at("top1"),
            json_of(scratch / "whole" / "result.json").at("top1"));
}

TEST(Finetune, NeedsACheckpointOrFromScratch) {
  const Scratch scratch;
  std::vector<std::string> words = smoke_finetune(scratch / "run");
  std::erase(words, "--from-scratch");
  EXPECT_EQ(wait_for(start(words)), static_cast<int>(ExitCode::kUsage));
  EXPECT_EQ(wait_for(start({"finetune", "--recipe", "smoke_linprobe", "--data", "synthetic",
                            "--out", (scratch / "run").string(), "--from-scratch", "--quiet"})),
            static_cast<int>(ExitCode::kUsage));
  EXPECT_FALSE(fs::exists(scratch / "run"));
}

std::vector<std::string> probe(const fs::path& out, const fs::path& checkpoint, const char* steps) {
  return {"linprobe",     "--recipe", "smoke_linprobe", "--data", "synthetic",
          "--checkpoint", checkpoint, "--out",          out,      "--quiet",
          "--threads",    "1",        "--set",          steps};
}

TEST(Linprobe, LearnsOnAFrozenEncoderGoesOnAndIsMeasured) {
  const Scratch scratch;
  const fs::path pretrained = scratch / "pretrained";
  ASSERT_EQ(wait_for(start({"pretrain", "--recipe", "smoke_pretrain", "--data", "synthetic",
                            "--out", pretrained, "--quiet", "--set", "run.max_steps=2"})),
            0);
  ASSERT_EQ(wait_for(start(probe(scratch / "whole", pretrained, "run.max_steps=12"))), 0);
  ASSERT_EQ(wait_for(start(probe(scratch / "pieces", pretrained, "run.max_steps=5"))), 0);
  ASSERT_EQ(wait_for(start(probe(scratch / "pieces", pretrained, "run.max_steps=12"))), 0);
  EXPECT_EQ(weights(scratch / "pieces"), weights(scratch / "whole"));
  ASSERT_EQ(wait_for(start({"eval", "--data", "synthetic", "--checkpoint", scratch / "whole",
                            "--out", scratch / "measured", "--quiet"},
                           0, scratch / "stdout")),
            0);
  const nlohmann::json measured = json_of(scratch / "measured" / "result.json");
  EXPECT_EQ(measured.at("images"), 512);
  EXPECT_EQ(measured.at("top1"), json_of(scratch / "whole" / "result.json").at("top1"));
  ASSERT_EQ(wait_for(start({"linprobe", "--fast", "--data", "synthetic", "--checkpoint", pretrained,
                            "--out", scratch / "fast", "--quiet"},
                           0, scratch / "stdout")),
            0);
  EXPECT_GT(json_of(scratch / "fast" / "result.json").at("top1").get<double>(), 10);
}

TEST(Eval, CountsEveryImageOnceWithAnyBatch) {
  const Scratch scratch;
  ASSERT_EQ(wait_for(start(smoke_finetune(scratch / "run", {"--set", "model.precision=fp32"}))), 0);
  const auto evaluated = [&](const char* batch) {
    const fs::path out = scratch / batch;
    EXPECT_EQ(
        wait_for(start({"eval", "--data", "synthetic", "--checkpoint", (scratch / "run").string(),
                        "--batch", batch, "--out", out.string(), "--quiet"},
                       0, scratch / "stdout")),
        0);
    EXPECT_TRUE(fs::exists(out / "confusion.png"));
    return json_of(out / "result.json");
  };
  const nlohmann::json whole = evaluated("512");
  EXPECT_EQ(whole.at("images"), 512);
  EXPECT_EQ(whole.at("top1"), json_of(scratch / "run" / "result.json").at("top1"));
  double right = 0;
  int64_t images = 0;
  for (const nlohmann::json& one : whole.at("classes")) {
    images += one.at("images").get<int64_t>();
    right += one.at("images").get<double>() * one.at("top1").get<double>() / 100;
  }
  EXPECT_EQ(images, 512);
  EXPECT_NEAR(100 * right / 512, whole.at("top1").get<double>(), 1e-9);
  for (const char* batch : {"1", "7", "100"}) {  // 7 and 100 leave a smaller last batch
    const nlohmann::json other = evaluated(batch);
    EXPECT_EQ(other.at("images"), 512) << batch;
    EXPECT_EQ(other.at("classes"), whole.at("classes")) << batch;
    EXPECT_EQ(other.at("top5"), whole.at("top5")) << batch;
  }
}

TEST(Eval, MeasuresTheMovingAverageUnlessToldNot) {
  const Scratch scratch;
  ASSERT_EQ(wait_for(start(smoke_finetune(scratch / "run", {"--set", "model.precision=fp32"}))), 0);
  const auto loss = [&](const char* decay) {
    EXPECT_EQ(
        wait_for(start({"eval", "--data", "synthetic", "--checkpoint", (scratch / "run").string(),
                        "--out", (scratch / decay).string(), "--quiet", "--set", decay},
                       0, scratch / "stdout")),
        0);
    return json_of(scratch / decay / "result.json").at("loss").get<double>();
  };
  const double average = loss("classifier.ema_decay=0.9");
  EXPECT_NEAR(average, json_of(scratch / "run" / "result.json").at("loss").get<double>(), 1e-9);
  EXPECT_GT(std::abs(loss("classifier.ema_decay=0") - average), 1e-6);
}

TEST(Eval, TakesAClassifierWhoseRecipeIsOfItsEncoderAlone) {
  const Scratch scratch;
  ASSERT_EQ(wait_for(start(smoke_finetune(scratch / "run", {"--set", "run.max_steps=2"}))), 0);
  ASSERT_EQ(wait_for(start(
                {"checkpoint", "convert", scratch / "run", scratch / "one.safetensors", "--quiet"},
                0, scratch / "stdout")),
            0);
  const auto loss = [&](const char* file, const char* set) {
    EXPECT_EQ(wait_for(start({"eval", "--data", "synthetic", "--checkpoint", scratch / file,
                              "--out", scratch / "measured", "--quiet", "--set", set},
                             0, scratch / "stdout")),
              0);
    return json_of(scratch / "measured" / "result.json").at("loss").get<double>();
  };
  EXPECT_EQ(loss("one.safetensors", "classifier.eval_crop=0.875"),
            loss("run", "classifier.ema_decay=0"));
}

TEST(Eval, TakesImagesOfAnotherSizeAndRefusesWhatIsNoClassifier) {
  const Scratch scratch;
  ASSERT_EQ(wait_for(start(smoke_finetune(scratch / "run", {"--set", "run.max_steps=2"}))), 0);
  EXPECT_EQ(wait_for(start(
                {"eval", "--data", "synthetic", "--checkpoint", (scratch / "run").string(),
                 "--quiet", "--set", "data.image_size=[48,40]", "--set", "classifier.eval_crop=1"},
                0, scratch / "stdout")),
            0);
  ASSERT_EQ(
      wait_for(start({"pretrain", "--recipe", "smoke_pretrain", "--data", "synthetic", "--out",
                      (scratch / "pretrained").string(), "--quiet", "--set", "run.max_steps=2"})),
      0);
  EXPECT_EQ(wait_for(start({"eval", "--data", "synthetic", "--checkpoint",
                            (scratch / "pretrained").string(), "--quiet"})),
            static_cast<int>(ExitCode::kCheckpoint));
}

}  // namespace
}  // namespace fcm
