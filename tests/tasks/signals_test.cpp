// The stop signals that terminals and batch systems send to the program.
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "tests/tasks/child.h"

namespace fcm {
namespace {

namespace fs = std::filesystem;

using tests::Scratch;
using tests::wait_for;

constexpr int kStoppedEarly = static_cast<int>(ExitCode::kStopped);

pid_t start_run(const fs::path& out) {
  return tests::start({"pretrain", "--recipe", "smoke_pretrain", "--data", "synthetic", "--out",
                       out.string(), "--threads", "1", "--quiet", "--set", "run.max_steps=60",
                       "--set", "optim.epochs=1000", "--set", "run.save_every_steps=4"});
}

std::string weights_in(const fs::path& out) {
  return read_file(out / "checkpoints/step-60/model.safetensors", ExitCode::kCheckpoint) +
         read_file(out / "checkpoints/step-60/optimizer.safetensors", ExitCode::kCheckpoint);
}

// The content of `latest`; empty before the first save.
std::string saved_steps(const fs::path& out) {
  const fs::path latest = out / "checkpoints/latest";
  return is_there(latest, ExitCode::kCheckpoint) ? read_file(latest, ExitCode::kCheckpoint) : "";
}

// Waits until the condition holds. After 30 s, far longer than any wait of these tests needs, the
// test fails.
void wait_until(const std::function<bool()>& holds) {
  for (int i = 0; i < 15'000 && !holds(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  EXPECT_TRUE(holds());
}

void wait_for_a_save(const fs::path& out) {
  const std::string before = saved_steps(out);
  wait_until([&] { return saved_steps(out) != before; });
}

TEST(Signals, OfEveryKindThatMeansStopSaveAndTheRunGoesOnToTheSameBits) {
  const Scratch scratch;
  ASSERT_EQ(wait_for(start_run(scratch / "whole")), 0);
  const fs::path out = scratch / "stopped";
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU}) {
    const pid_t child = start_run(out);
    wait_for_a_save(out);
    ::kill(child, signal);
    EXPECT_EQ(wait_for(child), kStoppedEarly) << "signal " << signal;
  }
  EXPECT_NE(saved_steps(out), "step-60\n") << "the run ended before the last signal";
  EXPECT_EQ(wait_for(start_run(out)), 0);
  EXPECT_EQ(weights_in(scratch / "whole"), weights_in(out));
}

TEST(Signals, BeforeTheFirstStepEndTheRunAtOnce) {
  const Scratch scratch;
  const fs::path out = scratch / "run";
  const pid_t child = start_run(out);
  wait_until([&] { return is_there(out / "recipe.toml", ExitCode::kUsage); });
  ::kill(child, SIGTERM);
  EXPECT_EQ(wait_for(child), kStoppedEarly);
  EXPECT_EQ(wait_for(start_run(out)), 0);
  EXPECT_EQ(saved_steps(out), "step-60\n");
}

TEST(Signals, AHangupThatIsIgnoredIsIgnored) {  // nohup ignores SIGHUP
  const Scratch scratch;
  const fs::path out = scratch / "run";
  const auto before = ::signal(SIGHUP, SIG_IGN);
  const pid_t child = start_run(out);
  ::signal(SIGHUP, before);
  wait_for_a_save(out);
  ::kill(child, SIGHUP);
  wait_for_a_save(out);
  ::kill(child, SIGTERM);
  EXPECT_EQ(wait_for(child), kStoppedEarly);
}

TEST(Signals, StoppingAndContinuingChangesNothing) {
  const Scratch scratch;
  ASSERT_EQ(wait_for(start_run(scratch / "whole")), 0);
  const fs::path out = scratch / "paused";
  const pid_t child = start_run(out);
  for (int pause = 0; pause < 3; ++pause) {
    wait_for_a_save(out);
    ::kill(child, SIGSTOP);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    ::kill(child, SIGCONT);
  }
  EXPECT_EQ(wait_for(child), 0);
  EXPECT_EQ(weights_in(scratch / "whole"), weights_in(out));
}

}  // namespace
}  // namespace fcm
