// Killed and started again, a run must leave the same bits as one that was left alone. The program
// itself is run, as a user would.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/base/random.h"

namespace fcm {
namespace {
namespace fs = std::filesystem;

constexpr int kStopped = static_cast<int>(ExitCode::kStopped);

class Scratch {
 public:
  Scratch() {
    std::string name = (fs::temp_directory_path() / "fcm-resume-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~Scratch() { fs::remove_all(path_); }
  fs::path operator/(const char* name) const { return path_ / name; }

 private:
  fs::path path_;
};

pid_t start(const fs::path& out, const std::vector<std::string>& more) {
  std::vector<std::string> words = {FCM_PROGRAM,
                                    "pretrain",
                                    "--recipe",
                                    "smoke_pretrain",
                                    "--data",
                                    "synthetic",
                                    "--out",
                                    out.string(),
                                    "--threads",
                                    "1",
                                    "--quiet",
                                    "--set",
                                    "run.max_steps=24",
                                    "--set",
                                    "run.save_every_steps=3",
                                    "--set",
                                    "run.log_every_steps=2"};
  words.insert(words.end(), more.begin(), more.end());
  const pid_t child = ::fork();
  if (child == 0) {
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  return child;
}

// The exit status; 128 + signal for a child that was killed.
int wait_for(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string weights(const fs::path& out) {
  const fs::path last = out / "checkpoints" / "step-24";
  return read_file(last / "model.safetensors", ExitCode::kCheckpoint) +
         read_file(last / "optimizer.safetensors", ExitCode::kCheckpoint);
}

// log.jsonl without what time and memory decide.
std::vector<nlohmann::json> log_of(const fs::path& out) {
  std::vector<nlohmann::json> lines;
  std::istringstream text(read_file(out / "log.jsonl", ExitCode::kUsage));
  for (std::string line; std::getline(text, line);) {
    lines.push_back(nlohmann::json::parse(line));
    for (const char* key :
         {"images_per_second", "data_wait", "utilisation", "memory_bytes", "eta_seconds"}) {
      lines.back().erase(key);
    }
  }
  return lines;
}

TEST(Resume, AfterKillsAtAnyTimeTheBitsAreTheSame) {
  const Scratch scratch;
  const auto began = std::chrono::steady_clock::now();
  ASSERT_EQ(wait_for(start(scratch / "whole", {})), 0);
  const auto whole = std::chrono::duration<double>(std::chrono::steady_clock::now() - began);
  KeyedRandom random(std::random_device{}(), Purpose::kProbe, 0, 0);
  int killed = 0, launches = 0;
  for (int status = -1; status != 0 && launches < 60; ++launches) {
    const pid_t child = start(scratch / "broken", {});
    if (killed < 12) {
      std::this_thread::sleep_for(whole * (0.3 + 0.7 * random.uniform_double()));
      ::kill(child, SIGKILL);
    }
    status = wait_for(child);
    ASSERT_TRUE(status == 0 || status == 128 + SIGKILL) << status;
    killed += status != 0;
  }
  EXPECT_GT(killed, 3);
  EXPECT_EQ(weights(scratch / "whole"), weights(scratch / "broken"));
  EXPECT_EQ(log_of(scratch / "whole"), log_of(scratch / "broken"));
}

TEST(Resume, SigtermSavesAndSaysSo) {
  const Scratch scratch;
  ASSERT_EQ(wait_for(start(scratch / "whole", {})), 0);
  const pid_t child = start(scratch / "stopped", {});
  while (!fs::exists(scratch / "stopped" / "checkpoints" / "step-3")) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  ::kill(child, SIGTERM);
  ASSERT_EQ(wait_for(child), kStopped);
  EXPECT_EQ(wait_for(start(scratch / "stopped", {})), 0);
  EXPECT_EQ(weights(scratch / "whole"), weights(scratch / "stopped"));
  EXPECT_EQ(log_of(scratch / "whole"), log_of(scratch / "stopped"));
}

TEST(Resume, ATruncatedNewestCheckpointFallsBackToTheOneBefore) {
  const Scratch scratch;
  ASSERT_EQ(wait_for(start(scratch / "whole", {})), 0);
  ASSERT_EQ(wait_for(start(scratch / "cut", {"--set", "run.max_steps=12"})), 0);
  fs::resize_file(scratch / "cut" / "checkpoints" / "step-12" / "model.safetensors", 1000);
  EXPECT_EQ(wait_for(start(scratch / "cut", {})), 0);
  EXPECT_EQ(weights(scratch / "whole"), weights(scratch / "cut"));
}

TEST(Resume, AnotherSeedGivesOtherWeights) {  // the comparison above can fail
  const Scratch scratch;
  ASSERT_EQ(wait_for(start(scratch / "first", {})), 0);
  ASSERT_EQ(wait_for(start(scratch / "second", {"--seed", "9"})), 0);
  EXPECT_NE(weights(scratch / "first"), weights(scratch / "second"));
}

TEST(Resume, AnotherRecipeIsRefused) {
  const Scratch scratch;
  ASSERT_EQ(wait_for(start(scratch / "run", {"--set", "run.max_steps=2"})), 0);
  EXPECT_EQ(wait_for(start(scratch / "run", {"--set", "optim.base_lr=0.5"})),
            static_cast<int>(ExitCode::kUsage));
  EXPECT_EQ(wait_for(start(scratch / "run", {"--resume", "never"})),
            static_cast<int>(ExitCode::kUsage));
}

}  // namespace
}  // namespace fcm
