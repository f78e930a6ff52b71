// RELIABILITY.md, G1, G2, G6 and G23: SIGKILL at random times, inside saves, and at every failpoint
// of a run. The same command, repeated, ends with the bits and the log of an undisturbed run. So do
// launches that are not killed.
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

constexpr int kKilled = 128 + SIGKILL;

struct Kind {
  ShortRun run;
  Undisturbed whole;
  double seconds = 0;  // duration of the run
};

Kind measured(const ShortRun& run) {
  const Scratch scratch;
  const Stopwatch watch;
  EXPECT_EQ(wait_for(start(run.in(scratch / "whole"))), 0);
  const double seconds = watch.seconds();
  return {run, {final_bits(scratch / "whole", run.steps), log_of(scratch / "whole")}, seconds};
}

struct Kills {
  int64_t at_random = 0;
  int64_t inside_saves = 0;
  int64_t all() const { return at_random + inside_saves; }
};

// Whether the process died during a save: only then is its temporary folder left.
bool died_inside_a_save(const fs::path& out, pid_t child) {
  const std::string ending = ".tmp." + std::to_string(child);
  std::error_code none;
  for (fs::directory_iterator entry(out / "checkpoints", none), end; !none && entry != end;
       entry.increment(none)) {
    if (entry->path().string().ends_with(ending)) return true;
  }
  return false;
}

// Runs one launch and kills it: with equal probability at a random failpoint of its first two saves
// or at a random time.
int launch(const Kind& kind, const fs::path& out, KeyedRandom& random, Kills& kills) {
  constexpr uint64_t kPointsOfTwoSaves = 90;
  if (random.below(2) == 0) {
    const Failpoint failpoint("checkpoint:" + std::to_string(1 + random.below(kPointsOfTwoSaves)) +
                              ":kill");
    const int status = wait_for(start(kind.run.in(out)));
    kills.inside_saves += status == kKilled ? 1 : 0;
    return status;
  }
  const pid_t child = start(kind.run.in(out));
  std::this_thread::sleep_for(
      std::chrono::duration<double>(random.uniform_double() * kind.seconds));
  ::kill(child, SIGKILL);
  const int status = wait_for(child);
  if (status == kKilled) {
    (died_inside_a_save(out, child) ? kills.inside_saves : kills.at_random) += 1;
  }
  return status;
}

TEST(KillsSlow, AtAnyTimeAndInsideSavesChangeNoBit) {
  const test::Series series(300);
  const Kind kinds[] = {measured(pretraining(24, 3)), measured(finetuning(12, 2))};
  ASSERT_NE(kinds[1].whole.bits.find("ema."), std::string::npos)
      << "the test needs a run with a moving average";
  Kills kills;
  int64_t runs = 0;
  for (; kills.all() < series.cases() || 3 * kills.inside_saves < series.cases(); ++runs) {
    SCOPED_TRACE(series.place(runs));
    const Kind& kind = kinds[runs % 2];
    KeyedRandom random = series.random_of(runs);
    const Scratch scratch;
    const fs::path out = scratch / "run";
    int status = -1;
    for (int launches = 0; status != 0; ++launches) {
      ASSERT_LT(launches, 500) << "the run makes no progress";
      status = launch(kind, out, random, kills);
      ASSERT_TRUE(status == 0 || status == kKilled) << status;
    }
    ASSERT_EQ(difference(out, kind.run, kind.whole), "");
  }
  test::Series::note("kills", kills.all());
  test::Series::note("inside_saves", kills.inside_saves);
  test::Series::note("runs", runs);
}

// Kills before and after each system call with a failpoint (open, write, fsync, rename, unlink and
// others) of a run with two saves. The calls include those for marker files, logs, events, images
// and report pages.
TEST(KillsSlow, AtEveryFailpointOfARunChangeNoBit) {
  const Kind kind = measured(pretraining(4, 2));
  int64_t points = 0;
  for (int status = kKilled; status != 0;) {
    SCOPED_TRACE("any:" + std::to_string(points + 1) + ":kill");
    const Scratch scratch;
    const fs::path out = scratch / "run";
    {
      const Failpoint failpoint("any:" + std::to_string(points + 1) + ":kill");
      status = wait_for(start(kind.run.in(out)));
    }
    if (status == 0) break;  // the run has no further failpoint
    ASSERT_EQ(status, kKilled);
    ++points;
    ASSERT_EQ(wait_for(start(kind.run.in(out))), 0);
    ASSERT_EQ(difference(out, kind.run, kind.whole), "");
  }
  test::Series::note("points", points);
  EXPECT_GT(points, 100);
}

// RELIABILITY.md, G6: undisturbed launches on the same machine.
TEST(RepeatsSlow, EveryLaunchLeavesTheSameBits) {
  const test::Series series(5);
  for (const ShortRun& run : {pretraining(24, 3), finetuning(12, 2)}) {
    const Undisturbed first = measured(run).whole;
    for (int64_t number = 1; number < series.cases(); ++number) {
      const Scratch scratch;
      ASSERT_EQ(wait_for(start(run.in(scratch / "run"))), 0);
      ASSERT_EQ(difference(scratch / "run", run, first), "");
    }
  }
}

}  // namespace
}  // namespace fcm
