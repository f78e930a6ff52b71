// The files that a run leaves, and runs whose output folder or input is not usable.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "tests/tasks/child.h"

namespace fcm {
namespace {
namespace fs = std::filesystem;
using tests::Scratch;
using tests::start;
using tests::wait_for;

std::vector<std::string> smoke(const fs::path& out, const std::vector<std::string>& more = {}) {
  std::vector<std::string> words = {"pretrain",  "--recipe", "smoke_pretrain", "--data",
                                    "synthetic", "--out",    out.string(),     "--quiet"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

int status(ExitCode code) { return static_cast<int>(code); }

TEST(Run, LeavesEverythingTheInterfaceNames) {
  const Scratch scratch;
  ASSERT_EQ(wait_for(start(smoke(scratch / "run"))), 0);
  for (const char* name : {"recipe.toml", "log.jsonl", "report.html", "checkpoints/latest"}) {
    EXPECT_TRUE(fs::exists(scratch / "run" / name)) << name;
  }
  EXPECT_FALSE(fs::is_empty(scratch / "run" / "events"));
  EXPECT_FALSE(fs::is_empty(scratch / "run" / "pictures"));
  std::ifstream lines(scratch / "run" / "log.jsonl");
  std::string first;
  std::getline(lines, first);
  const nlohmann::json line = nlohmann::json::parse(first);
  for (const char* key :
       {"step", "epoch", "loss", "lr", "grad_norm", "images_per_second", "data_wait", "utilisation",
        "memory_bytes", "skipped_samples", "eta_seconds"}) {
    EXPECT_TRUE(line.contains(key)) << key;
  }
}

TEST(Run, AFullDiskEndsItWithTheLastCheckpointIntact) {
  const Scratch scratch;
  ASSERT_EQ(wait_for(start(smoke(scratch / "run", {"--set", "run.max_steps=4"}))), 0);
  const std::string before = read_file(
      scratch / "run" / "checkpoints" / "step-4" / "model.safetensors", ExitCode::kCheckpoint);
  EXPECT_EQ(wait_for(start(smoke(scratch / "run", {"--set", "run.max_steps=8"}), 50'000)),
            status(ExitCode::kCheckpoint));
  EXPECT_EQ(read_file(scratch / "run" / "checkpoints" / "step-4" / "model.safetensors",
                      ExitCode::kCheckpoint),
            before);
  EXPECT_EQ(wait_for(start(smoke(scratch / "run", {"--set", "run.max_steps=8"}))), 0);
  EXPECT_TRUE(fs::exists(scratch / "run" / "checkpoints" / "step-8"));
}

TEST(Run, AFolderThatIsNoRunIsNeverTouched) {
  const Scratch scratch;
  fs::create_directories(scratch / "mine");
  std::ofstream(scratch / "mine" / "thesis.txt") << "years of work";
  EXPECT_EQ(wait_for(start(smoke(scratch / "mine", {"--overwrite"}))), status(ExitCode::kUsage));
  EXPECT_TRUE(fs::exists(scratch / "mine" / "thesis.txt"));
}

TEST(Run, BadInputLeavesNoFolderBehind) {
  const Scratch scratch;
  const auto run = [&](const std::string& data, const std::vector<std::string>& more) {
    std::vector<std::string> words = {
        "pretrain", "--recipe", "smoke_pretrain",           "--data",
        data,       "--out",    (scratch / "run").string(), "--quiet"};
    words.insert(words.end(), more.begin(), more.end());
    return wait_for(start(words));
  };
  fs::create_directories(scratch / "empty");
  EXPECT_EQ(run("/no/such/folder", {}), status(ExitCode::kData));
  EXPECT_EQ(run((scratch / "empty").string(), {}), status(ExitCode::kData));
  EXPECT_EQ(run("synthetic", {"--set", "optim.batch_size=100000"}), status(ExitCode::kData));
  EXPECT_EQ(run("synthetic", {"--set", "data.image_size=[30,32]"}), status(ExitCode::kUsage));
  EXPECT_EQ(run("synthetic", {"--set", "masks.ratio=0.99"}), status(ExitCode::kUsage));
  EXPECT_EQ(run("synthetic", {"--set", "masks.views=7"}), status(ExitCode::kUsage));
  EXPECT_EQ(run("synthetic", {"--device", "cuda"}), status(ExitCode::kDevice));
  EXPECT_FALSE(fs::exists(scratch / "run"));
}

TEST(Run, DryRunTouchesNothing) {
  const Scratch scratch;
  EXPECT_EQ(wait_for(start(smoke(scratch / "run", {"--dry-run"}))), 0);
  EXPECT_FALSE(fs::exists(scratch / "run"));
}

TEST(Run, TheNumericGuardGivesUpWithItsOwnStatus) {
  const Scratch scratch;
  // An excessive learning rate makes weights, and then losses, non-finite.
  EXPECT_EQ(wait_for(start(smoke(scratch / "run",
                                 {"--set", "optim.base_lr=1000", "--set", "optim.warmup_epochs=0",
                                  "--set", "model.precision=fp32", "--set", "run.max_rollbacks=0",
                                  "--set", "optim.weight_decay=10"}))),
            status(ExitCode::kNumeric));
}

// The synthetic data have ten classes, so chance is 10 of 100.
TEST(Vit, EveryTaskTakesItsRuns) {
  const Scratch scratch;
  const std::string run = (scratch / "run").string();
  const auto result_of = [&](std::vector<std::string> words) {
    words.insert(words.end(), {"--json", "--quiet"});
    const fs::path file = scratch / "result.json";
    EXPECT_EQ(wait_for(start(words, 0, file)), 0) << words.front();
    return nlohmann::json::parse(read_file(file, ExitCode::kUsage));
  };
  result_of({"pretrain", "--recipe", "smoke_mae_pretrain", "--data", "synthetic", "--out", run});
  for (const char* task : {"knn", "linprobe"}) {
    const auto result = result_of({task, "--data", "synthetic", "--checkpoint", run});
    EXPECT_GT(result.at("top1").get<double>(), 30) << task;
  }
  const std::string image = (scratch / "run" / "pictures" / "step-00000020.png").string();
  result_of({"visualize", "--checkpoint", run, "--images", image, "--out",
             (scratch / "sheet.png").string()});
  EXPECT_GT(fs::file_size(scratch / "sheet.png"), 1000u);
  const auto speeds = result_of({"bench", "step", "--recipe", "smoke_mae_pretrain", "--batch", "2",
                                 "--steps", "1", "--implementation", "both"});
  EXPECT_EQ(speeds.at("implementations").size(), 2u);
}

TEST(Demo, OnFewImagesGivesEveryFigure) {
  if (!fs::exists("/usr/share/datasets/fashion-mnist")) {
    GTEST_SKIP() << "the Debian package dataset-fashion-mnist is not installed";
  }
  const Scratch scratch;
  ASSERT_EQ(wait_for(start({"demo", "--images", "1024", "--json", "--quiet", "--out",
                            (scratch / "demo").string()},
                           0, scratch / "result.json")),
            0);
  const nlohmann::json result =
      nlohmann::json::parse(read_file(scratch / "result.json", ExitCode::kUsage));
  for (const char* kind : {"knn", "linprobe"}) {
    for (const char* what : {"raw", "untrained", "pretrained"}) {
      const double accuracy = result.at(kind).at(what).get<double>();
      EXPECT_GT(accuracy, 40) << kind << " " << what;  // ten kinds of clothing: chance is 10
      EXPECT_LT(accuracy, 95) << kind << " " << what;
    }
    EXPECT_TRUE(result.at("features").at("mean").at(kind).contains("pretrained"));
  }
  EXPECT_TRUE(fs::exists(result.at("report").get<std::string>()));
}

}  // namespace
}  // namespace fcm
