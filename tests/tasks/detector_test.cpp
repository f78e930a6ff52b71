// Detection as a user runs it: pretraining run, finetune, eval and predict; a stopped run resumes
// with the same bits; weights converted to detectron2 and back; unusable data.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/eval/coco_results.h"
#include "fcm/image/image.h"
#include "fcm/loader/dataset.h"
#include "fcm/train/run_log.h"
#include "tests/loader/coco_support.h"
#include "tests/tasks/child.h"
#include "tests/tasks/short_run.h"

namespace fcm {
namespace {
namespace fs = std::filesystem;
using tests::Scratch;
using tests::start;
using tests::wait_for;
using Words = std::vector<std::string>;

constexpr int kUsageStatus = static_cast<int>(ExitCode::kUsage),
              kDataStatus = static_cast<int>(ExitCode::kData),
              kCheckpointStatus = static_cast<int>(ExitCode::kCheckpoint);

Words detecting(const fs::path& out, const Words& more) {
  Words words = {"finetune", "--recipe",   "smoke_detect", "--data", "synthetic",
                 "--out",    out.string(), "--threads",    "1",      "--quiet"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

nlohmann::json json_in(const fs::path& file) {
  return nlohmann::json::parse(read_file(file, ExitCode::kUsage));
}

TEST(DetectorRuns, AfterPretrainingAreMeasuredDrawnAndConverted) {
  const Scratch scratch;
  const std::string pretrained = (scratch / "pretrained").string(),
                    run = (scratch / "run").string();
  ASSERT_EQ(wait_for(start({"pretrain", "--recipe", "smoke_pretrain", "--data", "synthetic",
                            "--out", pretrained, "--quiet", "--set", "run.max_steps=2"})),
            0);
  ASSERT_EQ(
      wait_for(start(detecting(run, {"--checkpoint", pretrained, "--set", "run.max_steps=4"}))), 0);
  for (const char* name : {"report.html", "best/latest", "pictures/step-00000004.png"}) {
    EXPECT_TRUE(fs::exists(fs::path(run) / name)) << name;
  }
  const nlohmann::json result = json_in(fs::path(run) / "result.json");
  EXPECT_TRUE(result.at("box").contains("AP50"));
  EXPECT_TRUE(result.at("mask").contains("APs"));
  EXPECT_EQ(result.at("classes").size(), result.at("class_names").size());
  EXPECT_TRUE(train::read_log(fs::path(run) / "log.jsonl").back().contains("test_box_ap"));

  // A low score threshold keeps nearly every detection, so that there is something to compare.
  const Words measure = {
      "eval",   "--data", "synthetic", "--checkpoint", run, "--set", "detector.score=0.001",
      "--quiet"};
  Words to_folder = measure;
  to_folder.insert(to_folder.end(), {"--out", (scratch / "measured").string()});
  ASSERT_EQ(wait_for(start(to_folder)), 0);
  const nlohmann::json measured = json_in(scratch / "measured" / "result.json");
  EXPECT_TRUE(fs::exists(scratch / "measured" / "detection.png"));
  const auto entries = eval::read_coco_results(scratch / "measured" / "detections.json");
  EXPECT_GT(entries.size(), 10u);
  EXPECT_TRUE(entries[0].box && entries[0].mask);

  // Converted to detectron2 and back, the model gives the same figures.
  const std::string file = (scratch / "detector.pth").string();
  ASSERT_EQ(wait_for(start({"checkpoint", "convert", run, file, "--to", "detectron2", "--quiet"})),
            0);
  Words of_file = to_folder;
  of_file[4] = file;
  of_file.back() = (scratch / "again").string();
  ASSERT_EQ(wait_for(start(of_file)), 0);
  EXPECT_EQ(json_in(scratch / "again" / "result.json").at("box"), measured.at("box"));
}

TEST(DetectorRuns, AnswerForAnyImages) {
  const Scratch scratch;
  const std::string run = (scratch / "run").string();
  ASSERT_EQ(wait_for(start(detecting(run, {"--from-scratch", "--set", "run.max_steps=1"}))), 0);
  const auto objects = loader::open_dataset("synthetic", loader::Split::kVal,
                                            {.wanted = loader::TargetKind::kInstances});
  const image::Image image = objects->get(1, 3);
  image::write_png(scratch / "a.png", image);
  std::ofstream(scratch / "broken.png") << "no picture";
  std::ofstream(scratch / "lying.jpg")
      << test::lying_jpeg_text(image::Image{60, 40, 3, std::vector<uint8_t>(60 * 40 * 3, 90)});
  ASSERT_EQ(
      wait_for(start({"predict", "--checkpoint", run, "--images", (scratch / "a.png").string(),
                      (scratch / "broken.png").string(), (scratch / "lying.jpg").string(), "--out",
                      (scratch / "answers").string(), "--set", "detector.score=0.001", "--quiet"})),
      0);
  const nlohmann::json answers = json_in(scratch / "answers" / "results.json");
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[0].at("width"), image.cols);
  ASSERT_FALSE(answers[0].at("instances").empty());
  const nlohmann::json& one = answers[0].at("instances")[0];
  EXPECT_EQ(one.at("box").size(), 4u);
  EXPECT_EQ(one.at("mask").at("size"), (std::vector<int64_t>{image.rows, image.cols}));
  EXPECT_TRUE(fs::exists(scratch / "answers" / "a.png"));
  EXPECT_EQ(answers[1].at("width"), 60);  // rotated upright by EXIF, as in training
  EXPECT_EQ(answers[1].at("height"), 40);
}

// A run that is stopped and started again has the weights, moments and running statistics of one
// that was not stopped.
TEST(DetectorRuns, GoOnToTheSameBits) {
  const Scratch scratch;
  const auto to = [&](const char* out, int64_t steps) {
    return wait_for(
        start(detecting(scratch / out, {"--from-scratch", "--set", "run.log_every_steps=2", "--set",
                                        "run.max_steps=" + std::to_string(steps)})));
  };
  ASSERT_EQ(to("whole", 6), 0);
  ASSERT_EQ(to("parts", 3), 0);
  ASSERT_EQ(to("parts", 6), 0);
  EXPECT_EQ(tests::final_bits(scratch / "parts", 6), tests::final_bits(scratch / "whole", 6));
}

TEST(DetectorRuns, RefuseWhatTheyAreNotFor) {
  const Scratch scratch;
  Words words = detecting(scratch / "a", {"--from-scratch"});
  words[4] = "fashion-mnist";
  EXPECT_EQ(wait_for(start(words)), kDataStatus);
  EXPECT_FALSE(fs::exists(scratch / "a"));
  EXPECT_EQ(wait_for(start({"pretrain", "--recipe", "smoke_detect", "--data", "synthetic", "--out",
                            (scratch / "b").string(), "--quiet"})),
            kUsageStatus);
  const std::string run = (scratch / "run").string();
  ASSERT_EQ(wait_for(start(detecting(run, {"--from-scratch", "--set", "run.max_steps=1"}))), 0);
  EXPECT_EQ(wait_for(start({"knn", "--checkpoint", run, "--data", "synthetic", "--quiet"})),
            kCheckpointStatus);
  EXPECT_EQ(wait_for(start({"checkpoint", "convert", run, (scratch / "e.pth").string(), "--to",
                            "encoder", "--quiet"})),
            kUsageStatus);
}

}  // namespace
}  // namespace fcm
