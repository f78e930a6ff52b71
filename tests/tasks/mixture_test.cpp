// Runs with several targets, as a user starts them.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

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
using Overrides = std::vector<std::string>;

Overrides smoke_mixture(const fs::path& out, const Overrides& more = {}) {
  Overrides words = {"pretrain",
                     "--recipe",
                     "smoke_mixture",
                     "--data",
                     "synthetic",
                     "--out",
                     out.string(),
                     "--threads",
                     "1",
                     "--quiet",
                     "--set",
                     "run.max_steps=6",
                     "--set",
                     "run.log_every_steps=2",
                     "--set",
                     "run.save_every_steps=3"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

std::string file_bytes(const fs::path& out, const char* file) {
  return read_file(out / "checkpoints" / "step-6" / file, ExitCode::kCheckpoint);
}

TEST(Mixture, LogsEveryTargetAndShowsItInTheReport) {
  const Scratch scratch;
  ASSERT_EQ(wait_for(start(smoke_mixture(scratch / "run"))), 0);
  int lines = 0;
  for (const nlohmann::json& line : train::read_log(scratch / "run" / "log.jsonl")) {
    if (!line.contains("lr")) continue;
    ++lines;
    double sum = 0;
    for (const char* key : {"loss_rgb", "loss_clip", "loss_dino", "loss_ema", "loss_mimic"}) {
      ASSERT_TRUE(line.contains(key)) << key;
      sum += 0.25 * line.at(key).get<double>();
    }
    EXPECT_NEAR(line.at("loss").get<double>(), sum, 1e-4);
    EXPECT_GT(line.at("ema_spread").get<double>(), 0);
  }
  EXPECT_EQ(lines, 3);
  const std::string page = read_file(scratch / "run" / "report.html", ExitCode::kUsage);
  EXPECT_NE(page.find("Parts of the loss"), std::string::npos);
  for (const char* name : {">rgb<", ">clip<", ">dino<", ">ema<", ">mimic<"}) {
    EXPECT_NE(page.find(name), std::string::npos) << name;
  }
  EXPECT_TRUE(fs::exists(scratch / "run" / "pictures" / "step-00000006.png"));
  const std::string image = (scratch / "run" / "pictures" / "step-00000006.png").string();
  const std::string sheet = (scratch / "sheet.png").string();
  EXPECT_EQ(wait_for(start({"visualize", "--checkpoint", (scratch / "run").string(), "--images",
                            image, "--out", sheet, "--quiet"})),
            0);
  EXPECT_TRUE(fs::exists(sheet));
}

TEST(Mixture, ARunInTwoPartsLeavesTheSameBits) {
  const Scratch scratch;
  ASSERT_EQ(wait_for(start(smoke_mixture(scratch / "whole"))), 0);
  ASSERT_EQ(wait_for(start(smoke_mixture(scratch / "parts", {"--set", "run.max_steps=4"}))), 0);
  ASSERT_EQ(wait_for(start(smoke_mixture(scratch / "parts"))), 0);
  for (const char* file : {"model.safetensors", "optimizer.safetensors"}) {
    EXPECT_TRUE(file_bytes(scratch / "whole", file) == file_bytes(scratch / "parts", file)) << file;
  }
  EXPECT_NE(file_bytes(scratch / "whole", "optimizer.safetensors").find("\"ema.norm.weight\""),
            std::string::npos);
}

int status_of(const Overrides& words) { return wait_for(start(words)); }

TEST(Mixture, TeachersThatAreMissingOrWrongAreRefusedBeforeTheRun) {
  const Scratch scratch;
  const fs::path out = scratch / "run";
  const Overrides base = {"--set", "targets.dino_tower=vit_s16"};
  EXPECT_EQ(status_of(smoke_mixture(out, base)), static_cast<int>(ExitCode::kCheckpoint));
  Overrides absent = base;
  absent.insert(absent.end(), {"--teacher", "dino=" + (scratch / "absent.pth").string()});
  EXPECT_EQ(status_of(smoke_mixture(out, absent)), static_cast<int>(ExitCode::kCheckpoint));
  EXPECT_EQ(status_of(smoke_mixture(out, {"--teacher", "clip=x.pt", "--set", "targets.clip=0",
                                          "--set", "targets.mimic=none"})),
            static_cast<int>(ExitCode::kUsage));
  EXPECT_EQ(status_of(smoke_mixture(out, {"--teacher", "x.pt"})),
            static_cast<int>(ExitCode::kUsage));
  EXPECT_FALSE(fs::exists(out));
}

// The stored teacher is smaller than vit_s16.
TEST(Mixture, AWrongTeacherIsRefusedWithWhatItIs) {
  const fs::path file =
      fs::path(FCM_SOURCE_DIR) / ".." / "shared" / "fixtures" / "teachers" / "dino_tiny.pth";
  if (!fs::exists(file)) GTEST_SKIP() << "no " << file;
  const Scratch scratch;
  const std::string errors = (scratch / "errors.txt").string();
  const std::string command =
      std::string(FCM_PROGRAM) + " pretrain --recipe smoke_mixture --data synthetic --out " +
      (scratch / "run").string() +
      " --set targets.dino_tower=vit_s16 --teacher dino=" + file.string() + " 2> " + errors;
  EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), static_cast<int>(ExitCode::kCheckpoint));
  const std::string text = read_file(errors, ExitCode::kUsage);
  for (const char* part : {"the file holds DINO with 48 channels, 6 blocks",
                           "the recipe needs DINO with 384 channels, 12 blocks"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " is missing in " << text;
  }
}

}  // namespace
}  // namespace fcm
