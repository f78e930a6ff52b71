// finetune and eval, as a user runs them.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

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

std::vector<std::string> smoke(const fs::path& out, const std::vector<std::string>& more = {}) {
  std::vector<std::string> words = {"finetune",  "--recipe", "smoke_finetune", "--data",
                                    "synthetic", "--out",    out.string(),     "--quiet",
                                    "--threads", "1"};
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
  // One epoch: 8 steps of 256 pictures.
  ASSERT_EQ(
      wait_for(start(smoke(scratch / "run", {"--checkpoint", (scratch / "pretrained").string(),
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
}

std::string weights(const fs::path& out) {
  const fs::path last = out / "checkpoints" / "step-12";
  return read_file(last / "model.safetensors", ExitCode::kCheckpoint) +
         read_file(last / "optimizer.safetensors", ExitCode::kCheckpoint);
}

TEST(Finetune, InPiecesTheBitsAreTheSame) {
  const Scratch scratch;
  ASSERT_EQ(wait_for(start(smoke(scratch / "whole", {"--set", "run.max_steps=12"}))), 0);
  ASSERT_EQ(wait_for(start(smoke(scratch / "pieces", {"--set", "run.max_steps=5"}))), 0);
  ASSERT_EQ(wait_for(start(smoke(scratch / "pieces", {"--set", "run.max_steps=12"}))), 0);
  EXPECT_EQ(weights(scratch / "pieces"), weights(scratch / "whole"));
  // A seed decides them: the comparison can fail.
  ASSERT_EQ(wait_for(start(smoke(scratch / "other", {"--set", "run.max_steps=12", "--seed", "1"}))),
            0);
  EXPECT_NE(weights(scratch / "other"), weights(scratch / "whole"));
}

TEST(Eval, CountsEveryPictureOnceWithAnyBatch) {
  const Scratch scratch;
  ASSERT_EQ(wait_for(start(smoke(scratch / "run", {"--set", "model.precision=fp32"}))), 0);
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
  for (const char* batch : {"1", "7", "100"}) {  // 7 and 100 leave a rest
    const nlohmann::json other = evaluated(batch);
    EXPECT_EQ(other.at("images"), 512) << batch;
    EXPECT_EQ(other.at("classes"), whole.at("classes")) << batch;
    EXPECT_EQ(other.at("top5"), whole.at("top5")) << batch;
  }
}

TEST(Eval, TakesPicturesOfAnotherSizeAndRefusesWhatIsNoClassifier) {
  const Scratch scratch;
  ASSERT_EQ(wait_for(start(smoke(scratch / "run", {"--set", "run.max_steps=2"}))), 0);
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
