// Segmentation as a user runs it: pretraining run, finetune, eval and predict; a stopped run
// resumes with the same bits; unusable data.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/image/image.h"
#include "fcm/loader/dataset.h"
#include "fcm/train/run_log.h"
#include "tests/tasks/child.h"
#include "tests/tasks/short_run.h"

namespace fcm {
namespace {
namespace fs = std::filesystem;
using tests::Scratch;
using tests::start;
using tests::wait_for;
using Words = std::vector<std::string>;

constexpr int kUsage = static_cast<int>(ExitCode::kUsage),
              kData = static_cast<int>(ExitCode::kData);

Words segmenting(const fs::path& out, const Words& more) {
  Words words = {"finetune",  "--recipe", "smoke_segment", "--out", out.string(),
                 "--threads", "1",        "--quiet"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

nlohmann::json parsed(const fs::path& file) {
  return nlohmann::json::parse(read_file(file, ExitCode::kUsage));
}

TEST(Segmenter, AfterPretrainingIsMeasuredAndDrawn) {
  const Scratch scratch;
  const std::string pretrained = (scratch / "pretrained").string(),
                    run = (scratch / "run").string();
  ASSERT_EQ(wait_for(start({"pretrain", "--recipe", "smoke_pretrain", "--data", "synthetic",
                            "--out", pretrained, "--quiet", "--set", "run.max_steps=2"})),
            0);
  ASSERT_EQ(wait_for(start(segmenting(run, {"--data", "synthetic", "--checkpoint", pretrained,
                                            "--set", "run.max_steps=4"}))),
            0);
  for (const char* name : {"report.html", "best/latest", "pictures/step-00000004.png"}) {
    EXPECT_TRUE(fs::exists(fs::path(run) / name)) << name;
  }
  const nlohmann::json result = parsed(fs::path(run) / "result.json");
  EXPECT_EQ(result.at("images"), 64);
  EXPECT_EQ(result.at("classes").size(), 6);
  EXPECT_EQ(result.at("class_names").at(0), "background");
  const nlohmann::json line = train::read_log(fs::path(run) / "log.jsonl").back();
  EXPECT_EQ(line.at("test_miou"), result.at("mIoU"));

  ASSERT_EQ(wait_for(start({"eval", "--data", "synthetic", "--checkpoint", run, "--out",
                            (scratch / "measured").string(), "--quiet"})),
            0);
  const nlohmann::json measured = parsed(scratch / "measured" / "result.json");
  EXPECT_EQ(measured.at("mIoU"), result.at("mIoU"));
  EXPECT_TRUE(fs::exists(scratch / "measured" / "segmentation.png"));

  const auto scenes =
      loader::open_dataset("synthetic", loader::Split::kVal, {.wanted = loader::TargetKind::kMap});
  const image::Image image = scenes->get(3, 3);
  image::write_png(scratch / "a.png", image);
  fs::create_directories(scratch / "more");
  image::write_png(scratch / "more" / "a.png", image);
  std::ofstream(scratch / "more" / "broken.png") << "no picture";
  const Words predict = {"predict",
                         "--checkpoint",
                         run,
                         "--images",
                         (scratch / "a.png").string(),
                         (scratch / "more").string(),
                         "--out",
                         (scratch / "answers").string(),
                         "--quiet"};
  ASSERT_EQ(wait_for(start(predict)), 0);
  const nlohmann::json answers = parsed(scratch / "answers" / "results.json");
  ASSERT_EQ(answers.size(), 2);
  EXPECT_EQ(answers[1].at("map"), "a-2.map.png");
  const std::string bytes =
      read_file(scratch / "answers" / answers[0].at("map").get<std::string>(), ExitCode::kData);
  const image::Image map =
      image::decode({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, 1);
  EXPECT_EQ(map.rows, image.rows);
  EXPECT_EQ(map.cols, image.cols);
  for (const uint8_t number : map.pixels) ASSERT_LT(number, 6);
  // Existing files are replaced only on --overwrite, and only if this command wrote them.
  EXPECT_EQ(wait_for(start(predict)), kUsage);
  Words again = predict;
  again.push_back("--overwrite");
  EXPECT_EQ(wait_for(start(again)), 0);
  fs::create_directories(scratch / "mine");
  std::ofstream(scratch / "mine" / "a.png") << "mine";
  *(std::ranges::find(again, "--out") + 1) = (scratch / "mine").string();
  EXPECT_EQ(wait_for(start(again)), kUsage);
  EXPECT_EQ(read_file(scratch / "mine" / "a.png", ExitCode::kData), "mine");
}

// A run that is stopped and started again has the weights, moments and running statistics of one
// that was not stopped.
TEST(Segmenter, GoesOnToTheSameBits) {
  const Scratch scratch;
  const Words common = {"--data", "synthetic", "--from-scratch", "--set", "run.log_every_steps=2"};
  const auto to = [&](const char* out, int64_t steps) {
    Words more = common;
    more.insert(more.end(), {"--set", "run.max_steps=" + std::to_string(steps)});
    return wait_for(start(segmenting(scratch / out, more)));
  };
  ASSERT_EQ(to("whole", 6), 0);
  ASSERT_EQ(to("parts", 3), 0);
  ASSERT_EQ(to("parts", 6), 0);
  EXPECT_EQ(tests::final_bits(scratch / "parts", 6), tests::final_bits(scratch / "whole", 6));
}

TEST(Segmenter, RefusesDataWithoutMapsAndTasksThatItIsNot) {
  const Scratch scratch;
  EXPECT_EQ(
      wait_for(start(segmenting(scratch / "a", {"--data", "fashion-mnist", "--from-scratch"}))),
      kData);
  EXPECT_FALSE(fs::exists(scratch / "a"));
  EXPECT_EQ(wait_for(start({"pretrain", "--recipe", "smoke_segment", "--data", "synthetic", "--out",
                            (scratch / "b").string(), "--quiet"})),
            kUsage);
  EXPECT_EQ(wait_for(start({"linprobe", "--recipe", "smoke_segment", "--data", "synthetic",
                            "--checkpoint", "none", "--out", (scratch / "c").string(), "--quiet"})),
            kUsage);
}

}  // namespace
}  // namespace fcm
