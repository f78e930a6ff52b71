// RELIABILITY.md, G8: a disk that is full for a while does not end a run. A disk that stays full
// ends the run at the third failed save. save_failures_slow_test.cpp tests every call and every
// error.
#include "tests/train/save_failures.h"

#include <gtest/gtest.h>

namespace fcm::train {
namespace {

using test::memory_folder;
using test::Scratch;

TEST(SaveFailures, OneFailedSaveChangesNothingOfTheRun) {
  const Scratch calm(memory_folder()), disturbed(memory_folder()), last(memory_folder());
  const FailpointRun undisturbed = train_with("", calm.path());
  ASSERT_EQ(undisturbed.error, "");
  const FailpointRun full = train_with("checkpoint.write.before:2:ENOSPC", disturbed.path());
  EXPECT_EQ(full.error, "");
  EXPECT_EQ(full.failed_saves, 1);
  EXPECT_EQ(full.log, undisturbed.log);
  EXPECT_TRUE(full.bytes == undisturbed.bytes);
  EXPECT_TRUE(full.others.empty());
  // The last save of a run is retried at once, because no later save follows.
  const FailpointRun end = train_with("checkpoint.rename.before:5+:EIO", last.path());
  EXPECT_NE(end.error, "");
  EXPECT_EQ(end.failed_saves, 2);
  EXPECT_FALSE(end.bytes.empty());  // the checkpoint of step 8
}

TEST(SaveFailures, TheThirdInARowEndsTheRunAndTheSameCommandGoesOn) {
  const Scratch calm(memory_folder()), disturbed(memory_folder());
  const FailpointRun undisturbed = train_with("", calm.path());
  const FailpointRun full = train_with("checkpoint.write.before:1+:EDQUOT", disturbed.path());
  EXPECT_NE(full.error.find("cannot write"), std::string::npos) << full.error;
  EXPECT_EQ(full.failed_saves, 2);
  EXPECT_TRUE(full.bytes.empty());
  EXPECT_TRUE(full.others.empty());
  const FailpointRun again = train_with("", disturbed.path());
  EXPECT_EQ(again.log, undisturbed.log);
  EXPECT_TRUE(again.bytes == undisturbed.bytes);
}

TEST(SaveFailures, LinesOfTheLogWait) {
  const Scratch calm(memory_folder()), disturbed(memory_folder());
  const FailpointRun undisturbed = train_with("", calm.path());
  for (const char* spec : {"log.write.before:2:ENOSPC", "log.write.before:3:short",
                           "log.write.after:4:EIO", "log.fsync.before:1:EIO"}) {
    const Scratch folder(memory_folder());
    const FailpointRun full = train_with(spec, folder.path());
    EXPECT_EQ(full.error, "") << spec;
    EXPECT_EQ(full.log, undisturbed.log) << spec;
    EXPECT_TRUE(full.bytes == undisturbed.bytes) << spec;
  }
}

}  // namespace
}  // namespace fcm::train
