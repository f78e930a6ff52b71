// Commands that divide their work among processes give the same result for any number of processes.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/train/run_log.h"
#include "tests/tasks/child.h"
#include "tests/tasks/scenes.h"

namespace fcm {
namespace {

namespace fs = std::filesystem;

using tests::Scratch;
using tests::start;
using tests::wait_for;

using Words = std::vector<std::string>;

std::string content_of(const fs::path& file) { return read_file(file, ExitCode::kUsage); }

class Ranks : public testing::Test {
 protected:
  // The result of a command in `processes` processes; a single process runs without `launch`.
  nlohmann::json result(int64_t processes, Words words) const {
    for (const char* word : {"--json", "--quiet", "--threads", "1"}) words.emplace_back(word);
    if (processes > 1) {
      const Words launch = {"launch", "--processes", std::to_string(processes), "--"};
      words.insert(words.begin(), launch.begin(), launch.end());
    }
    const fs::path output = scratch_ / "output";
    const int status = wait_for(start(words, 0, output));
    EXPECT_EQ(status, 0) << words.front();
    return status == 0 ? nlohmann::json::parse(content_of(output)) : nlohmann::json();
  }

  // A run of three steps by one process.
  fs::path trained(const std::string& command, const std::string& recipe, Words more = {}) const {
    const fs::path out = scratch_ / recipe;
    Words words = {command, "--recipe",   recipe,  "--data",         "synthetic",
                   "--out", out.string(), "--set", "run.max_steps=3"};
    words.insert(words.end(), more.begin(), more.end());
    result(1, words);
    return out;
  }

  const Scratch scratch_;
};

TEST_F(Ranks, EvalCountsEveryImageOnce) {
  const fs::path run = trained("finetune", "smoke_finetune", {"--from-scratch"});
  const Words eval = {"eval", "--data", "synthetic", "--checkpoint", run.string()};
  const nlohmann::json one = result(1, eval);
  EXPECT_EQ(one.at("images"), 512);
  for (const int64_t ranks : {2, 3}) {
    const nlohmann::json several = result(ranks, eval);
    for (const char* key : {"top1", "top5", "images", "unreadable", "classes"}) {
      EXPECT_EQ(several.at(key), one.at(key)) << key << " of " << ranks;
    }
    EXPECT_NEAR(several.at("loss"), one.at("loss"), 1e-5);
  }
}

TEST_F(Ranks, KnnAndProbesSeeEveryFeatureOnce) {
  const fs::path run = trained("pretrain", "smoke_pretrain");
  for (const Words& command : {Words{"knn"}, Words{"linprobe", "--fast"}}) {
    Words words = command;
    for (const char* word : {"--data", "synthetic", "--checkpoint"}) words.push_back(word);
    words.push_back(run.string());
    const nlohmann::json one = result(1, words);
    for (const int64_t ranks : {2, 3}) {
      const nlohmann::json several = result(ranks, words);
      for (const char* key : {"top1", "top5", "images"}) {
        EXPECT_EQ(several.at(key), one.at(key)) << command.front() << " " << key << " of " << ranks;
      }
    }
  }
}

TEST_F(Ranks, FeaturesAreRowsInTheOrderOfTheSet) {
  const fs::path run = trained("pretrain", "smoke_pretrain");
  std::vector<std::string> files;
  for (const int64_t ranks : {1, 2, 3}) {
    const fs::path out = scratch_ / std::to_string(ranks) / "f.npy";
    fs::create_directories(out.parent_path());
    const nlohmann::json told = result(
        ranks, {"features", "--data", "synthetic", "--checkpoint", run.string(), "--out", out});
    EXPECT_EQ(told.at("images"), 2048);
    std::string all;
    for (const char* name : {"f.npy", "f.labels.npy", "f.pictures.tsv"}) {
      all += content_of(out.parent_path() / name);
    }
    files.push_back(std::move(all));
  }
  EXPECT_TRUE(files[0] == files[1]);
  EXPECT_TRUE(files[0] == files[2]);
}

// Each command trains for one epoch of 2 steps, with an evaluation at its end.
TEST_F(Ranks, FinetuneAndThePublishedProbeMeasureAllImages) {
  const fs::path run = trained("pretrain", "smoke_pretrain");
  for (const Words& command : {Words{"finetune", "--recipe", "smoke_finetune"},
                               Words{"linprobe", "--recipe", "smoke_linprobe"}}) {
    std::vector<nlohmann::json> results;
    for (const int64_t ranks : {1, 2}) {
      const fs::path out = scratch_ / fmt::format("{}{}", command.front(), ranks);
      Words words = command;
      for (const std::string& word :
           {std::string("--data"), std::string("synthetic"), std::string("--checkpoint"),
            run.string(), std::string("--out"), out.string(), std::string("--set"),
            std::string("optim.batch_size=1024"), std::string("--set"),
            std::string("run.log_every_steps=1")}) {
        words.push_back(word);
      }
      if (command.front() == "finetune") {  // mixup and CutMix depend on the division into ranks
        for (const char* word : {"--set", "augment.mixup=0", "--set", "augment.cutmix=0"}) {
          words.emplace_back(word);
        }
      }
      results.push_back(result(ranks, words));
      EXPECT_EQ(results.back().at("images"), 512);
      EXPECT_EQ(content_of(out / "result.json"), results.back().dump(2) + "\n");
    }
    EXPECT_NEAR(results[0].at("loss"), results[1].at("loss"), 1e-4) << command.front();
    EXPECT_NEAR(results[0].at("top1"), results[1].at("top1"), 0.5) << command.front();
  }
}

// A step has two images, so two processes train on one each.
TEST_F(Ranks, SegmentersAreTrainedAndMeasuredAsByOne) {
  const std::string scenes = scratch_ / "scenes";
  tests::write_scenes(scenes, 8, 5);
  const auto finetune = [&](const char* out, const char* steps) {
    return Words{"finetune",      "--recipe",
                 "smoke_segment", "--from-scratch",
                 "--data",        scenes,
                 "--out",         scratch_ / out,
                 "--set",         "optim.batch_size=2",
                 "--set",         "model.precision=fp32",
                 "--set",         steps,
                 "--set",         "run.log_every_steps=1"};
  };
  const char* const whole = "run.max_steps=4";
  const nlohmann::json one = result(1, finetune("one", whole)),
                       two = result(2, finetune("two", whole));
  const auto last_loss = [&](const char* out) {
    double loss = 0;
    for (const nlohmann::json& line : train::read_log(scratch_ / out / "log.jsonl")) {
      loss = line.value("loss", loss);
    }
    return loss;
  };
  EXPECT_NEAR(last_loss("one"), last_loss("two"), 1e-4);
  EXPECT_NEAR(one.at("mIoU"), two.at("mIoU"), 0.5);
  EXPECT_EQ(one.at("images"), 5);
  EXPECT_EQ(two.at("images"), 5);
  EXPECT_TRUE(fs::exists(scratch_ / "two/pictures/step-00000004.png"));
  // The same weights must give exactly the same counts.
  for (const int64_t ranks : {1, 2, 3}) {
    const nlohmann::json measured =
        result(ranks, {"eval", "--data", scenes, "--checkpoint", scratch_ / "one"});
    for (const char* key : {"mIoU", "mAcc", "aAcc", "images", "unreadable", "classes"}) {
      EXPECT_EQ(measured.at(key), one.at(key)) << key << " of " << ranks;
    }
  }
  // The number of processes changes in the middle of the run.
  result(2, finetune("changed", "run.max_steps=2"));
  EXPECT_EQ(result(1, finetune("changed", whole)).at("steps"), 4);
  EXPECT_NEAR(last_loss("changed"), last_loss("one"), 1e-4);
}

TEST_F(Ranks, ASegmenterIsNotTrainedOnOneImage) {
  const std::string scenes = scratch_ / "scenes";
  tests::write_scenes(scenes);
  for (const char* setting : {"optim.batch_size=1", "optim.micro_batch=1"}) {
    const fs::path messages = scratch_ / "messages";
    EXPECT_EQ(wait_for(start({"finetune", "--recipe", "smoke_segment", "--from-scratch", "--data",
                              scenes, "--out", scratch_ / "run", "--set", setting},
                             0, {}, messages)),
              static_cast<int>(ExitCode::kUsage));
    const std::string said = content_of(messages);
    EXPECT_NE(said.find(setting[6] == 'b' ? "optim.batch_size = 1 and" : "micro_batch = 1 make"),
              std::string::npos)
        << said;
    EXPECT_NE(said.find("a pass of one image"), std::string::npos) << said;
    EXPECT_FALSE(fs::exists(scratch_ / "run"));
  }
}

TEST_F(Ranks, PretrainingMeasuresAndDrawsOnce) {
  const fs::path out = scratch_ / "run";
  result(2, {"pretrain", "--recipe", "smoke_pretrain", "--data", "synthetic", "--out", out.string(),
             "--set", "optim.batch_size=1024", "--set", "run.knn_every_epochs=1", "--set",
             "run.probe_every_epochs=1"});
  int epochs = 0;
  for (const nlohmann::json& line : train::read_log(out / "log.jsonl")) {
    if (!line.contains("train_loss")) continue;
    ++epochs;
    EXPECT_TRUE(line.contains("knn_top1")) << line;
    EXPECT_TRUE(line.contains("probe_top1")) << line;
  }
  EXPECT_EQ(epochs, 1);
  EXPECT_TRUE(fs::exists(out / "report.html"));
}

TEST_F(Ranks, BenchStepIsTheGroups) {
  const nlohmann::json told = result(2, {"bench", "step", "--recipe", "smoke_pretrain", "--batch",
                                         "8", "--steps", "2", "--implementation", "fast"});
  EXPECT_EQ(told.at("processes"), 2);
  EXPECT_GT(told.at("communication").at("alone"), 0);
  EXPECT_GT(told.at("communication").at("waited"), 0);
  EXPECT_GT(told.at("implementations").at("fast").at("images_per_second").at("median"), 0);
}

// The test starts the processes itself, because each has its own command line.
TEST_F(Ranks, OfDifferentRecipesOrDataAreRefused) {
  struct Case {
    const char *first, *second, *words;
    int status;
  };
  for (const Case& one :
       {Case{"--set optim.base_lr=0.5", "--set optim.base_lr=0.25", "base_lr = 0.25", 2},
        Case{"--seed 1", "--seed 2", "seed = 2", 2},
        Case{"--data synthetic", "--data fashion-mnist", "60000 images", 3}}) {
    if (one.status == 3 && !fs::exists("/usr/share/datasets/fashion-mnist")) continue;
    const std::string common =
        fmt::format("{} pretrain --recipe smoke_pretrain --out {} {}", FCM_PROGRAM,
                    (scratch_ / "x").string(), one.status == 3 ? "" : "--data synthetic");
    const auto rank = [&](int number, const char* own) {
      return fmt::format(
          "env RANK={0} WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT={1} {2} {3} 2>{4}{0}",
          number, 20'000 + ::getpid() % 10'000, common, own, (scratch_ / "err").string());
    };
    const std::string command = fmt::format("{} & {}; s=$?; wait $!; test $? = $s && exit $s",
                                            rank(1, one.second), rank(0, one.first));
    EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), one.status);
    const std::string said = content_of(scratch_ / "err0");
    EXPECT_NE(said.find(one.words), std::string::npos) << said;
    EXPECT_NE(said.find("rank 1 has"), std::string::npos) << said;
    EXPECT_FALSE(fs::exists(scratch_ / "x"));
  }
}

}  // namespace
}  // namespace fcm
