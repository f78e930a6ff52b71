// RELIABILITY.md, G2 and G8: the process dies, or a system call fails, at every single call of a
// save. Afterwards there is always a valid checkpoint: the old one (none before the first save) or
// the new one.
#include <signal.h>
#include <sys/resource.h>

#include "tests/checkpoint/support.h"

namespace fcm::checkpoint {
namespace {

// The checkpoints that exist before the save under test, and the step it writes.
struct Situation {
  const char* name;
  std::vector<int64_t> before;  // saved in this order
  int64_t step;                 // written by the save under test, with SmallState(step), or
                                // SmallState(1000 + step) if the step exists before
  bool can_swap = true;
};

const Situation kSituations[] = {{"first", {}, 5},
                                 {"one before", {4}, 5},
                                 {"prunes", {2, 3, 4}, 5},
                                 {"replaces the only one", {5}, 5},
                                 {"replaces, stepwise", {5}, 5, false},
                                 {"replaces after going back", {4, 5, 6}, 5}};

class CrashTest : public TemporaryFolderTest {
 protected:
  static bool was_there(const Situation& situation) {
    return std::find(situation.before.begin(), situation.before.end(), situation.step) !=
           situation.before.end();
  }
  void prepare(const Situation& situation) const {
    failpoint::disarm();
    fs::remove_all(folder_ / "c");
    for (const int64_t step : situation.before) save_small(folder_ / "c", step);
  }
  // The save under test. If it replaces a step, its content differs from that of the old step.
  void disturbed_save(const Situation& situation) const {
    const int64_t content = situation.step + (was_there(situation) ? 1000 : 0);
    const SmallState small(content);
    save(folder_ / "c", situation.step, small.model(), small.optimizer(), small.state, {});
  }
  // Arms the failpoint `spec`. If folders cannot be swapped, every exchange of folders fails as
  // well.
  static void arm(const Situation& situation, const std::string& spec) {
    failpoint::arm(spec + (situation.can_swap ? "" : ",checkpoint.exchange.before:1+:EINVAL"));
  }

  int64_t points(const Situation& situation) const {
    prepare(situation);
    arm(situation, "checkpoint:0:kill");
    disturbed_save(situation);
    return failpoint::hits();
  }

  // "old" or "new", depending on which checkpoint loads; otherwise what is wrong. Also "old" if
  // there was no checkpoint before the save and there is none now.
  std::string outcome(const Situation& situation) const {
    failpoint::disarm();
    RecordingReporter reporter;
    std::optional<Checkpoint> found;
    try {
      found = load_newest(folder_ / "c", true, reporter);
    } catch (const Error& error) {
      return error.what();
    }
    if (!reporter.warnings.empty()) return reporter.warnings.front();
    if (!found) return situation.before.empty() ? "old" : "none";
    const int64_t content = found->state.at("step");
    const SmallState small(content);
    if (!same_tensors(found->model, small.model()) ||
        !same_tensors(found->optimizer, small.optimizer())) {
      return "mixed content";
    }
    if (content == situation.step + (was_there(situation) ? 1000 : 0)) return "new";
    return content == situation.before.back() ? "old" : fmt::format("content {}", content);
  }
};

TEST_F(CrashTest, KilledAtEveryPointOfASaveThereIsAValidCheckpoint) {
  int64_t kills = 0;
  for (const Situation& situation : kSituations) {
    const int64_t count = points(situation);
    int64_t old_seen = 0, new_seen = 0;
    for (int64_t point = 1; point <= count; ++point) {
      SCOPED_TRACE(fmt::format("{}: point {} of {}", situation.name, point, count));
      prepare(situation);
      ASSERT_EQ(signal_of_child([&] {
                  arm(situation, fmt::format("checkpoint:{}:kill", point));
                  disturbed_save(situation);
                }),
                SIGKILL);
      ++kills;
      const std::string found = outcome(situation);
      ASSERT_TRUE(found == "old" || found == "new") << found;
      (found == "old" ? old_seen : new_seen) += 1;
      // Repeating the save gives the same result as an undisturbed one.
      disturbed_save(situation);
      ASSERT_EQ(outcome(situation), "new");
      const std::vector<std::string> after = names_in(folder_ / "c");
      prepare(situation);
      disturbed_save(situation);
      ASSERT_EQ(after, names_in(folder_ / "c"));
    }
    EXPECT_GT(old_seen, 10) << situation.name;
    EXPECT_GT(new_seen, 3) << situation.name;
  }
  EXPECT_GT(kills, 250);
  RecordProperty("kills", static_cast<int>(kills));
}

TEST_F(CrashTest, AFailureOfAnyCallIsAnErrorAndHarmsNothing) {
  for (const Situation& situation : kSituations) {
    const int64_t count = points(situation);
    prepare(situation);
    disturbed_save(situation);
    const std::vector<std::string> undisturbed = names_in(folder_ / "c");
    int64_t errors = 0;
    for (int64_t point = 1; point <= count; ++point) {
      for (const char* reason : {"EIO", "ENOSPC"}) {
        SCOPED_TRACE(fmt::format("{}: {} at point {} of {}", situation.name, reason, point, count));
        prepare(situation);
        arm(situation, fmt::format("checkpoint:{}:{}", point, reason));
        const bool failed = !error_of([&] { disturbed_save(situation); }).empty();
        const std::string found = outcome(situation);
        ASSERT_TRUE(found == "new" || (failed && found == "old")) << found;
        errors += failed ? 1 : 0;
        // The retry succeeds and leaves nothing behind.
        disturbed_save(situation);
        ASSERT_EQ(outcome(situation), "new");
        ASSERT_EQ(names_in(folder_ / "c"), undisturbed);
      }
    }
    EXPECT_GT(errors, count) << situation.name;  // of 2 * count saves
  }
}

TEST_F(CrashTest, AFullDiskAtAnyWriteKeepsTheOldAndLeavesNoTemporary) {
  for (const Situation& situation : kSituations) {
    prepare(situation);
    const std::vector<std::string> before =
        situation.before.empty() ? std::vector<std::string>{} : names_in(folder_ / "c");
    arm(situation, "checkpoint.write.before:0:kill");
    disturbed_save(situation);
    const int64_t writes = failpoint::hits();
    ASSERT_GE(writes, 6);  // model, optimizer, manifest, latest
    // The disk is full for this write alone, or from this write on, or after half of this write.
    for (int64_t write = 1; write <= writes; ++write) {
      const std::string full[] = {
          fmt::format("checkpoint.write.before:{}:ENOSPC", write),
          fmt::format("checkpoint.write.before:{}+:EDQUOT", write),
          fmt::format("checkpoint.write.before:{0}:short,checkpoint.write.before:{1}+:ENOSPC",
                      write, write + 1)};
      for (const std::string& spec : full) {
        SCOPED_TRACE(fmt::format("{}: {}", situation.name, spec));
        prepare(situation);
        arm(situation, spec);
        const std::string error = error_of([&] { disturbed_save(situation); });
        ASSERT_NE(error, "");
        ASSERT_NE(error.find("cannot write"), std::string::npos) << error;
        if (write < writes) {
          ASSERT_EQ(outcome(situation), "old");
          ASSERT_EQ(fs::exists(folder_ / "c") ? names_in(folder_ / "c") : before, before);
        } else {
          ASSERT_EQ(outcome(situation), "new");  // only the write of `latest` failed
          for (const std::string& name : names_in(folder_ / "c")) {
            ASSERT_EQ(name.find("tmp"), std::string::npos) << name;
          }
        }
      }
    }
  }
}

TEST_F(CrashTest, ShortWritesAndInterruptionsDoNotDisturb) {
  const Situation& situation = kSituations[2];
  for (const char* spec : {"checkpoint.write.before:1+:short", "checkpoint.open.before:2:EINTR",
                           "checkpoint.write.before:3:EINTR", "checkpoint.fsync.before:1:EINTR"}) {
    prepare(situation);
    failpoint::arm(spec);
    disturbed_save(situation);
    EXPECT_GT(failpoint::hits(), 3);
    EXPECT_EQ(outcome(situation), "new") << spec;
  }
}

TEST_F(CrashTest, ALimitOnFileSizeIsAnErrorAndKeepsTheOld) {
  const Situation& situation = kSituations[1];
  prepare(situation);
  const std::vector<std::string> before = names_in(folder_ / "c");
  EXPECT_EQ(signal_of_child([&] {
              ::signal(SIGXFSZ, SIG_IGN);
              const rlimit limit{300, 300};
              ::setrlimit(RLIMIT_FSIZE, &limit);
              const std::string error = error_of([&] { disturbed_save(situation); });
              if (error.find("File too large") == std::string::npos) ::abort();
            }),
            0);
  EXPECT_EQ(outcome(situation), "old");
  EXPECT_EQ(names_in(folder_ / "c"), before);
}

// Negative control: outcome() detects an old step that is gone (as after a save that removes it
// before it writes the new one), and one with a truncated file.
TEST_F(CrashTest, OutcomeSeesACarelessSave) {
  const Situation& situation = kSituations[3];
  prepare(situation);
  fs::remove_all(folder_ / "c" / "step-5");
  EXPECT_NE(outcome(situation), "old");
  prepare(situation);
  fs::resize_file(folder_ / "c" / "step-5" / "model.safetensors", 100);
  EXPECT_NE(outcome(situation), "old");
  prepare({"", {4}, 5});
  EXPECT_EQ(outcome(kSituations[1]), "old");
  fs::copy_file(folder_ / "c" / "step-4" / "model.safetensors", folder_ / "x");
  disturbed_save(kSituations[1]);
  EXPECT_EQ(outcome(kSituations[1]), "new");
}

}  // namespace
}  // namespace fcm::checkpoint
