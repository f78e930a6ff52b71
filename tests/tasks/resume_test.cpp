// A run that is killed and restarted must leave the same bits as an undisturbed run. The tests
// start the program itself.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/base/random.h"
#include "tests/tasks/child.h"

namespace fcm {
namespace {
namespace fs = std::filesystem;

constexpr int kStopped = static_cast<int>(ExitCode::kStopped);

using tests::Scratch;
using tests::wait_for;

pid_t start(const fs::path& out, const std::vector<std::string>& more) {
  std::vector<std::string> words = {"pretrain",
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
  return tests::start(words);
}

// The content of `latest`; empty before the first save.
std::string saved(const fs::path& out) {
  const fs::path latest = out / "checkpoints" / "latest";
  return fs::exists(latest) ? read_file(latest, ExitCode::kCheckpoint) : std::string();
}

bool has_ended(pid_t child) {
  siginfo_t facts{};
  ::waitid(P_PID, static_cast<id_t>(child), &facts, WEXITED | WNOHANG | WNOWAIT);
  return facts.si_pid == child;
}

std::string weights_of(const fs::path& out) {
  const fs::path last = out / "checkpoints" / "step-24";
  return read_file(last / "model.safetensors", ExitCode::kCheckpoint) +
         read_file(last / "optimizer.safetensors", ExitCode::kCheckpoint);
}

// The lines of log.jsonl without fields that depend on time and memory.
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
  ASSERT_EQ(wait_for(start(scratch / "whole", {})), 0);
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  KeyedRandom random(seed, Purpose::kProbe, 0, 0);
  int killed = 0, launches = 0;
  for (int status = -1; status != 0 && launches < 40; ++launches) {
    const auto before = saved(scratch / "broken");
    const pid_t child = start(scratch / "broken", {});
    // Waits for a new save, so that each launch makes progress. The kill comes up to 60 ms later.
    while (saved(scratch / "broken") == before && !has_ended(child)) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random.below(60'000)));
    ::kill(child, SIGKILL);
    status = wait_for(child);
    ASSERT_TRUE(status == 0 || status == 128 + SIGKILL) << status;
    killed += status != 0;
  }
  EXPECT_GT(killed, 2);
  EXPECT_EQ(weights_of(scratch / "whole"), weights_of(scratch / "broken"));
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
  EXPECT_EQ(weights_of(scratch / "whole"), weights_of(scratch / "stopped"));
  EXPECT_EQ(log_of(scratch / "whole"), log_of(scratch / "stopped"));
}

TEST(Resume, ATruncatedNewestCheckpointFallsBackToTheOneBefore) {
  const Scratch scratch;
  ASSERT_EQ(wait_for(start(scratch / "whole", {})), 0);
  ASSERT_EQ(wait_for(start(scratch / "cut", {"--set", "run.max_steps=12"})), 0);
  fs::resize_file(scratch / "cut" / "checkpoints" / "step-12" / "model.safetensors", 1000);
  EXPECT_EQ(wait_for(start(scratch / "cut", {})), 0);
  EXPECT_EQ(weights_of(scratch / "whole"), weights_of(scratch / "cut"));
}

TEST(Resume, AnotherSeedGivesOtherWeights) {  // negative control
  const Scratch scratch;
  ASSERT_EQ(wait_for(start(scratch / "first", {})), 0);
  ASSERT_EQ(wait_for(start(scratch / "second", {"--seed", "9"})), 0);
  EXPECT_NE(weights_of(scratch / "first"), weights_of(scratch / "second"));
}

TEST(Resume, ARunOfAVersionWithFewerKeysGoesOn) {
  const Scratch scratch;
  ASSERT_EQ(wait_for(start(scratch / "run", {"--set", "run.max_steps=2"})), 0);
  const fs::path file = scratch / "run" / "recipe.toml";
  std::string text = read_file(file, ExitCode::kUsage);
  const std::string line = "probe_every_epochs = 0\n";
  ASSERT_NE(text.find(line), std::string::npos);
  std::ofstream(file) << text.erase(text.find(line), line.size());
  EXPECT_EQ(wait_for(start(scratch / "run", {"--set", "run.max_steps=4"})), 0);
  EXPECT_TRUE(fs::exists(scratch / "run" / "checkpoints" / "step-4"));
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
