// RELIABILITY.md, G8: each error of a full disk at each system call of a run's three saves and of
// its log.
#include <gtest/gtest.h>

#include "tests/support/series.h"
#include "tests/train/save_failures.h"

namespace fcm::train {
namespace {

using test::memory_folder;
using test::Scratch;

TEST(SaveFailuresSlow, AtEveryCallOfARun) {
  const Scratch calm(memory_folder());
  const FailpointRun undisturbed = train_with("", calm.path());
  int64_t runs = 0, failed_saves = 0;
  for (const char* who : {"checkpoint", "log"}) {
    const Scratch counted(memory_folder());
    const int64_t points = train_with(fmt::format("{}:0:kill", who), counted.path()).hits;
    ASSERT_GT(points, 20) << who;
    for (int64_t point = 1; point <= points; ++point) {
      for (const char* reason : {"ENOSPC", "EIO", "EDQUOT"}) {
        const std::string spec = fmt::format("{}:{}:{}", who, point, reason);
        SCOPED_TRACE(spec);
        const Scratch folder(memory_folder());
        const FailpointRun full = train_with(spec, folder.path());
        ++runs;
        failed_saves += full.failed_saves;
        // If the log cannot be opened before the first step, the run ends with an error, and the
        // same command starts it again.
        const FailpointRun ended = full.error.empty() ? full : train_with("", folder.path());
        ASSERT_EQ(ended.error, "");
        ASSERT_EQ(ended.log, undisturbed.log);
        ASSERT_TRUE(ended.bytes == undisturbed.bytes);
        ASSERT_TRUE(ended.others.empty()) << ended.others.front();
        if (std::string(who) == "checkpoint") {
          ASSERT_EQ(full.error, "");
        }
      }
    }
  }
  test::Series::note("runs", runs);
  test::Series::note("failed_saves", failed_saves);
  EXPECT_GT(failed_saves, 100);
}

// The disk is full from some write on: the run tolerates two failed saves and ends at the third.
// The same command then completes the run.
TEST(SaveFailuresSlow, ThatStaysFullFromEveryWriteOn) {
  const Scratch counted(memory_folder());
  const FailpointRun undisturbed = train_with("checkpoint.write.before:0:kill", counted.path());
  for (int64_t write = 1; write <= undisturbed.hits; ++write) {
    for (const char* action : {"ENOSPC", "EDQUOT"}) {
      const std::string spec = fmt::format("checkpoint.write.before:{}+:{}", write, action);
      SCOPED_TRACE(spec);
      const Scratch folder(memory_folder());
      const FailpointRun full = train_with(spec, folder.path());
      ASSERT_NE(full.error, "");
      ASSERT_EQ(full.failed_saves, 2);
      ASSERT_TRUE(full.others.empty()) << full.others.front();
      const FailpointRun again = train_with("", folder.path());
      ASSERT_EQ(again.log, undisturbed.log);
      ASSERT_TRUE(again.bytes == undisturbed.bytes);
    }
  }
  test::Series::note("runs", 2 * undisturbed.hits);
}

}  // namespace
}  // namespace fcm::train
