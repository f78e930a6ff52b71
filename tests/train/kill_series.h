// Runs in which one rank is killed or stopped (SIGSTOP) at a random moment. The runs are then
// resumed.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <string>
#include <thread>

#include "fcm/base/random.h"
#include "fcm/base/stopwatch.h"
#include "tests/support/scratch.h"
#include "tests/train/rank_runs.h"

namespace fcm::train {

struct LostRank {
  int64_t ranks = 2, rank = 0;
  int signal = SIGKILL;  // or SIGSTOP
  std::chrono::milliseconds after{0};
};

// `run` is the duration of a whole run with its start-up; the moment is uniform over it.
inline LostRank random_loss(uint64_t seed, std::chrono::milliseconds run) {
  KeyedRandom random(seed, Purpose::kSynthetic, 0, 0);
  LostRank lost;
  lost.ranks = random.below(4) == 0 ? 4 : 2;
  lost.rank = static_cast<int64_t>(random.below(static_cast<uint64_t>(lost.ranks)));
  lost.signal = random.below(5) == 0 ? SIGSTOP : SIGKILL;
  lost.after = std::chrono::milliseconds(random.below(static_cast<uint64_t>(run.count())));
  return lost;
}

// The other ranks end with status 7, or with 0 if the run was complete by then. The same run,
// started again, ends with the bits `wanted`.
inline void expect_recovery(const LostRank& lost, const std::string& wanted) {
  const test::Scratch scratch(test::memory_folder());
  recipe::Recipe recipe = twenty_steps();
  recipe.run.save_every_steps = 3;
  {
    dist::test::Processes processes(
        lost.ranks, [&](const auto& group) { train_rank(group, scratch.path(), recipe, {}); });
    std::this_thread::sleep_for(lost.after);
    ::kill(processes.pid(lost.rank), lost.signal);
    for (int64_t rank = 0; rank < lost.ranks; ++rank) {
      if (rank == lost.rank) continue;
      const int status = processes.wait_for(rank);
      EXPECT_TRUE(status == 0 || status == 7) << status << processes.said(rank);
    }
  }
  train_in(scratch.path(), lost.ranks, recipe);
  EXPECT_TRUE(bits_of(scratch.path()) == wanted)
      << "rank " << lost.rank << " of " << lost.ranks << ", signal " << lost.signal << " after "
      << lost.after.count() << " ms";
}

inline void expect_recoveries(uint64_t first, uint64_t count) {
  const test::Scratch scratch(test::memory_folder());
  const Stopwatch watch;
  train_in(scratch / "2", 2);
  const std::chrono::milliseconds run(static_cast<int64_t>(1000 * watch.seconds()));
  train_in(scratch / "4", 4);
  for (uint64_t seed = first; seed < first + count; ++seed) {
    const LostRank lost = random_loss(seed, run);
    expect_recovery(lost, bits_of(scratch / std::to_string(lost.ranks)));
  }
}

}  // namespace fcm::train
