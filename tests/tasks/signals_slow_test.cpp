// RELIABILITY.md, G10: on a signal at a random time, the program saves at the end of the current
// step and ends with status 75. The same command resumes and ends with the same bits.
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <thread>

#include "fcm/base/stopwatch.h"
#include "tests/support/series.h"
#include "tests/tasks/short_run.h"

namespace fcm {
namespace {

using namespace tests;  // NOLINT

constexpr int kStopped = static_cast<int>(ExitCode::kStopped);
constexpr int kSignals[] = {SIGTERM, SIGUSR1, SIGINT};

int64_t event_files(const fs::path& out) {
  std::error_code none;
  fs::directory_iterator entry(out / "events", none);
  return none ? 0 : std::distance(entry, {});
}

// Waits until the launch has opened its event file, which happens when training begins.
void wait_for_training(const fs::path& out, int64_t files_before, pid_t child) {
  while (event_files(out) == files_before && !has_ended(child)) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

TEST(SignalsSlow, StopAtTheEndOfAStepWithStatus75AndChangeNoBit) {
  const test::Series series(200);
  const ShortRun run = pretraining(240, 80);
  const Scratch undisturbed;
  const Stopwatch watch;
  ASSERT_EQ(wait_for(start(run.in(undisturbed / "run"))), 0);
  const double whole_seconds = watch.seconds();
  const Undisturbed whole{final_bits(undisturbed / "run", run.steps), log_of(undisturbed / "run")};
  int64_t stopped = 0, runs = 0;
  double slowest = 0;
  for (; stopped < series.cases(); ++runs) {
    SCOPED_TRACE(series.place(runs));
    KeyedRandom random = series.random_of(runs);
    const Scratch scratch;
    const fs::path out = scratch / "run";
    for (int status = -1, launches = 0; status != 0; ++launches) {
      ASSERT_LT(launches, 500) << "the run makes no progress";
      const int64_t files = event_files(out);
      const pid_t child = start(run.in(out));
      wait_for_training(out, files, child);
      std::this_thread::sleep_for(
          std::chrono::duration<double>(random.uniform_double() * whole_seconds / 2));
      const Stopwatch since_signal;
      ::kill(child, kSignals[random.below(3)]);
      status = wait_for(child);
      ASSERT_TRUE(status == 0 || status == kStopped) << status;
      if (status != kStopped) continue;
      ++stopped;
      slowest = std::max(slowest, since_signal.seconds());
    }
    ASSERT_EQ(difference(out, run, whole), "");
  }
  test::Series::note("stopped", stopped);
  test::Series::note("runs", runs);
  test::Series::note("slowest_seconds", slowest);
  EXPECT_LT(slowest, 10);  // seconds; the goal on an idle machine is 2 s
}

}  // namespace
}  // namespace fcm
