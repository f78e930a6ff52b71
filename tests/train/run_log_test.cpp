// RELIABILITY.md, G23: the log of a run holds every step once, also after kills and torn lines.
#include "fcm/train/run_log.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <limits>

#include "fcm/base/failpoint.h"
#include "fcm/base/random.h"
#include "tests/support/crash.h"

namespace fcm::train {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class RunLogTest : public test::TemporaryFolderTest {
 protected:
  void write_text(const std::string& text) const { std::ofstream(path_, std::ios::binary) << text; }
  std::string text() const { return read_file(path_, ExitCode::kData); }
  std::vector<int64_t> steps() const {
    std::vector<int64_t> found;
    for (const json& object : read_log(path_)) found.push_back(object.at("step"));
    return found;
  }
  const fs::path path_ = folder_ / "log.jsonl";
};

// Logs the steps first..last, and an epoch object after every tenth step.
void log_steps(RunLog& log, int64_t first, int64_t last) {
  for (int64_t step = first; step <= last; ++step) {
    log.write({{"step", step}, {"loss", 1.0 / static_cast<double>(step)}});
    if (step % 10 == 0) log.write({{"step", step}, {"epoch", step / 10}, {"train_loss", 0.5}});
  }
}

TEST_F(RunLogTest, LinesComeBack) {
  {
    RunLog log(path_);
    log.write({{"step", 1}, {"loss", 0.25}, {"note", "line\nbreak"}});
    log.sync();
  }
  RunLog(path_).write({{"step", 2}});
  const std::vector<json> objects = read_log(path_);
  ASSERT_EQ(objects.size(), 2U);
  EXPECT_EQ(objects[0], (json{{"step", 1}, {"loss", 0.25}, {"note", "line\nbreak"}}));
  EXPECT_EQ(objects[1], (json{{"step", 2}}));
  const std::string content = text();
  EXPECT_EQ(std::count(content.begin(), content.end(), '\n'), 2);
}

TEST_F(RunLogTest, WhatJsonLacksBecomesNullOrIsEscaped) {
  RunLog log(path_);
  log.write({{"step", 1},
             {"loss", std::nan("")},
             {"grad_norm", std::numeric_limits<double>::infinity()},
             {"file", "\xff.jpg"}});
  const json object = read_log(path_).at(0);
  EXPECT_TRUE(object.at("loss").is_null());
  EXPECT_TRUE(object.at("grad_norm").is_null());
  EXPECT_EQ(object.at("file"), "\\xff.jpg");
  EXPECT_THROW(log.write(json::array()), std::logic_error);
}

TEST_F(RunLogTest, TrimmingKeepsEveryStepOnce) {
  {
    RunLog log(path_);
    log_steps(log, 1, 25);
  }
  const std::string whole = text();
  RunLog(path_).trim_to_step(20);  // keeps the epoch object after step 20
  EXPECT_EQ(read_log(path_).back(), (json{{"step", 20}, {"epoch", 2}, {"train_loss", 0.5}}));
  {
    RunLog log(path_);
    log_steps(log, 21, 25);
  }
  EXPECT_EQ(text(), whole);
  RunLog(path_).trim_to_step(1000);
  EXPECT_EQ(text(), whole);
  RunLog(path_).trim_to_step(0);
  EXPECT_EQ(text(), "");
  RunLog deeper(folder_ / "run" / "log.jsonl");
  deeper.trim_to_step(5);
  deeper.write({{"step", 6}});
  deeper.trim_to_step(5);  // the log can still be written
  deeper.write({{"step", 7}});
  EXPECT_EQ(read_log(folder_ / "run" / "log.jsonl"), (std::vector<json>{{{"step", 7}}}));
}

TEST_F(RunLogTest, LinesThatAreNoneAreTrimmedAway) {
  const std::string zeros(7, '\0');
  write_text("{\"step\":1}\n[2]\n" + zeros +
             "\n{\"step\":2.5}\n{\"loss\":1}\nnonsense\n{\"step\":" +
             "\"3\"}\n\n{\"step\":3}\n{\"step\":4}\n{\"step\":5}");
  EXPECT_THROW(read_log(path_), Error);
  RunLog(path_).trim_to_step(5);
  EXPECT_EQ(text(), "{\"step\":1}\n{\"step\":3}\n{\"step\":4}\n");
}

TEST_F(RunLogTest, ATornLastLineIsLeftOutAtEveryCut) {
  {
    RunLog log(path_);
    log_steps(log, 1, 3);
  }
  const std::string whole = text();
  for (size_t size = 0; size < whole.size(); ++size) {
    write_text(whole.substr(0, size));
    const auto ended =
        std::count(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size), '\n');
    EXPECT_GE(read_log(path_).size(), static_cast<size_t>(ended));
    EXPECT_LE(read_log(path_).size(),
              static_cast<size_t>(ended) + 1);  // the last line may lack only its '\n'
    RunLog(path_).write({{"step", 9}});
    EXPECT_EQ(read_log(path_).size(), static_cast<size_t>(ended) + 1) << size;
    EXPECT_EQ(read_log(path_).back().at("step"), 9);
  }
}

TEST_F(RunLogTest, DamageInTheMiddleIsAnErrorThatNamesTheLine) {
  write_text("{\"step\":1}\n{\"step\":\n{\"step\":3}\n");
  try {
    read_log(path_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("line 2"), std::string::npos);
  }
  EXPECT_THROW(read_log(folder_ / "absent"), Error);
}

TEST_F(RunLogTest, AFailedWriteLeavesNoTornLine) {
  RunLog log(path_);
  log.write({{"step", 1}});
  for (const char* spec : {"log.write.before:1:ENOSPC", "log.write.before:1:short"}) {
    failpoint::arm(spec);
    EXPECT_THROW(log.write({{"step", 2}}), Error) << spec;
    failpoint::disarm();
    EXPECT_EQ(text(), "{\"step\":1}\n");
  }
  log.write({{"step", 2}});
  EXPECT_EQ(steps(), (std::vector<int64_t>{1, 2}));
}

// A kill during trimming leaves the log unchanged, without its torn last line, or trimmed.
TEST_F(RunLogTest, KilledAtEveryPointOfTrimmingNothingIsLost) {
  const std::string whole = "{\"step\":1}\n{\"step\":2}\n{\"step\":3}\n{\"st";
  write_text(whole);
  failpoint::arm("log:0:kill");
  RunLog(path_).trim_to_step(2);
  const int64_t points = failpoint::hits();
  failpoint::disarm();
  ASSERT_GE(points, 12);
  for (int64_t point = 1; point <= points; ++point) {
    write_text(whole);
    ASSERT_EQ(test::signal_of_child([&] {
                failpoint::arm(fmt::format("log:{}:kill", point));
                RunLog(path_).trim_to_step(2);
              }),
              SIGKILL);
    const std::string left = text();
    EXPECT_TRUE(left == whole || left == whole.substr(0, whole.rfind('\n') + 1) ||
                left == "{\"step\":1}\n{\"step\":2}\n")
        << point << left;
    RunLog(path_).trim_to_step(2);
    EXPECT_EQ(text(), "{\"step\":1}\n{\"step\":2}\n") << point;
  }
}

// Runs that are killed and have a checkpoint every four steps leave the log of an undisturbed run.
TEST_F(RunLogTest, AfterAnyNumberOfKillsTheLogIsThatOfAnUndisturbedRun) {
  constexpr int64_t kSteps = 40;
  {
    RunLog log(path_);
    log_steps(log, 1, kSteps);
  }
  const std::string undisturbed = text();
  int64_t torn = 0;
  for (uint64_t round = 0; round < 20; ++round) {
    fs::remove(path_);
    KeyedRandom random(5, Purpose::kSynthetic, round, 0);
    int64_t checkpoint = 0;
    for (int kill = 0; kill < 5; ++kill) {
      // The kill comes after a write, or after half a line is written.
      const uint64_t at = 1 + random.below(24);
      test::signal_of_child([&] {
        RunLog log(path_);
        log.trim_to_step(checkpoint);
        failpoint::arm(random.below(2) == 0
                           ? fmt::format("log.write.after:{}:kill", at)
                           : fmt::format("log.write.before:{}:short,log.truncate:1:kill", at));
        log_steps(log, checkpoint + 1, kSteps);
      });
      torn += text().ends_with('\n') ? 0 : 1;
      const std::vector<json> objects = read_log(path_);
      // The last step in the log may lack its epoch line, and then it has no checkpoint. So resume
      // from the last multiple of 4 before that step.
      if (!objects.empty()) checkpoint = (objects.back().at("step").get<int64_t>() - 1) / 4 * 4;
    }
    RunLog log(path_);
    log.trim_to_step(checkpoint);
    log_steps(log, checkpoint + 1, kSteps);
    ASSERT_EQ(text(), undisturbed) << "round " << round;
  }
  EXPECT_GT(torn, 10);
}

}  // namespace
}  // namespace fcm::train
