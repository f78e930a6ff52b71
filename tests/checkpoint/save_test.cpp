// Saves, removes and finds checkpoints, also with damaged files and files of a user in the folder.
#include <sys/mman.h>

#include <cmath>
#include <fstream>
#include <limits>

#include "fcm/base/random.h"
#include "fcm/checkpoint/step_folders.h"
#include "tests/checkpoint/support.h"

namespace fcm::checkpoint {
namespace {

using Names = std::vector<std::string>;

class SaveTest : public TemporaryFolderTest {
 protected:
  fs::path step(int64_t number) const { return folder_ / fmt::format("step-{}", number); }
  std::string text(const fs::path& path) const { return read_file(path, ExitCode::kCheckpoint); }
  void overwrite(const fs::path& path, const std::string& content) const {
    std::ofstream(path, std::ios::binary) << content;
  }
  int64_t newest() {
    const auto found = load_newest(folder_, true, reporter_);
    return found ? found->step : -1;
  }
  RecordingReporter reporter_;
};

TEST_F(SaveTest, RoundTripAndWhatLiesInTheFolder) {
  const fs::path checkpoints = folder_ / "run" / "checkpoints";
  save_small(checkpoints, 12);
  EXPECT_EQ(names_in(checkpoints), (Names{"latest", "step-12"}));
  EXPECT_EQ(names_in(checkpoints / "step-12"),
            (Names{"manifest.json", "model.safetensors", "optimizer.safetensors"}));
  EXPECT_EQ(text(checkpoints / "latest"), "step-12\n");
  for (const fs::path& path :
       {checkpoints / "step-12", checkpoints, folder_ / "run", checkpoints / "step-12" / ""}) {
    EXPECT_TRUE(is_small_state(interop::load_any(path, true, reporter_), 12)) << path;
  }
  const Checkpoint weights = interop::load_any(folder_ / "run", false, reporter_);
  EXPECT_TRUE(weights.optimizer.tensors.empty());
  EXPECT_EQ(weights.path, checkpoints / "step-12");
  EXPECT_NO_THROW(interop::verify_any(checkpoints / "step-12"));
  EXPECT_TRUE(reporter_.warnings.empty());
}

TEST_F(SaveTest, ASafetensorsFileAloneHasNoState) {
  save_small(folder_, 12);
  // In its step folder the file stands for the whole checkpoint. A copy without the manifest has no
  // state.
  const fs::path weights = step(12) / "model.safetensors";
  EXPECT_EQ(interop::load_any(weights, true, reporter_).step, 12);
  fs::copy_file(weights, folder_ / "copied.safetensors");
  const Checkpoint alone = interop::load_any(folder_ / "copied.safetensors", true, reporter_);
  EXPECT_TRUE(same_tensors(alone.model, SmallState(12).model()));
  EXPECT_EQ(alone.step, 0);
  EXPECT_TRUE(alone.state.empty());
}

TEST_F(SaveTest, WhatIsNoCheckpointIsAnErrorThatSaysSo) {
  const auto reason = [&](const fs::path& path) {
    return error_of([&] { interop::load_any(path, true, reporter_); });
  };
  overwrite(folder_ / "weights.pth", "PK");
  overwrite(folder_ / "notes.txt", "x");
  EXPECT_NE(reason(folder_ / "weights.pth").find("zip"), std::string::npos);
  EXPECT_NE(reason(folder_ / "notes.txt").find("is not a checkpoint"), std::string::npos);
  EXPECT_NE(reason(folder_ / "absent").find("does not exist"), std::string::npos);
  EXPECT_NE(reason(folder_).find("neither"), std::string::npos);
  fs::create_directories(folder_ / "run" / "checkpoints");
  EXPECT_NE(reason(folder_ / "run").find("no checkpoint yet"), std::string::npos);
  save_small(folder_, 3);
  fs::remove(step(3) / "manifest.json");
  EXPECT_NE(reason(step(3)).find("no manifest.json"), std::string::npos);
}

TEST_F(SaveTest, NoneAtAllIsNotAnError) {
  EXPECT_EQ(load_newest(folder_ / "absent", true, reporter_), std::nullopt);
  EXPECT_EQ(load_newest(folder_, true, reporter_), std::nullopt);
  fs::create_directory(folder_ / "step-5.tmp.999999999");
  EXPECT_EQ(newest(), -1);
  overwrite(folder_ / "latest", "step-5\n");  // a step that is named and missing is an error
  EXPECT_NE(error_of([&] { newest(); }).find("`latest` names step 5"), std::string::npos);
}

TEST_F(SaveTest, RetentionKeepsTheLastAndThePermanent) {
  for (int64_t number = 0; number <= 100; number += 10) {
    save_small(folder_, number, {.keep_last = 2, .keep_every_steps = 40});
    EXPECT_EQ(newest(), number);
  }
  EXPECT_EQ(names_in(folder_),
            (Names{"latest", "step-0", "step-100", "step-40", "step-80", "step-90"}));
  save_small(folder_, 110, {.keep_last = 1, .keep_every_steps = 0});
  EXPECT_EQ(names_in(folder_), (Names{"latest", "step-110"}));
  save_small(folder_, 120, {.keep_last = 0, .keep_every_steps = 0});  // the newest is never removed
  EXPECT_EQ(names_in(folder_), (Names{"latest", "step-120"}));
  EXPECT_TRUE(reporter_.warnings.empty());
}

TEST_F(SaveTest, CheckpointsInBetweenDoNotDisplaceRegularOnes) {
  for (const int64_t number : {10, 20, 30, 33, 36, 39}) {
    save_small(folder_, number, {.keep_last = 3, .regular_every_steps = 10});
  }
  EXPECT_EQ(names_in(folder_),
            (Names{"latest", "step-10", "step-20", "step-30", "step-36", "step-39"}));
  save_small(folder_, 40, {.keep_last = 3, .regular_every_steps = 10});
  EXPECT_EQ(names_in(folder_),
            (Names{"latest", "step-20", "step-30", "step-36", "step-39", "step-40"}));
  save_small(folder_, 41, {.keep_last = 1, .regular_every_steps = 10});
  EXPECT_EQ(names_in(folder_), (Names{"latest", "step-40", "step-41"}));
  save_small(folder_, 50, {.keep_last = 1, .regular_every_steps = 10});
  EXPECT_EQ(names_in(folder_), (Names{"latest", "step-41", "step-50"}));
}

// Retention keeps a checkpoint whose folder holds a user's notes, notes in a temporary folder, and
// checkpoints that are reached by a link.
TEST_F(SaveTest, RetentionRemovesNothingThatIsNotOurs) {
  const fs::path elsewhere = folder_ / "elsewhere", run = folder_ / "run";
  save_small(elsewhere, 1);
  save_small(run, 2);
  fs::create_directory_symlink(elsewhere / "step-1", run / "step-1");
  overwrite(run / "step-2" / "notes.md", "the good one");
  fs::create_directory(run / "step-0.tmp.999999999");
  overwrite(run / "step-0.tmp.999999999" / "model.safetensors", "half");
  overwrite(run / "step-0.tmp.999999999" / "notes.md", "mine");
  for (const int64_t number : {3, 4}) save_small(run, number, {.keep_last = 1});
  EXPECT_EQ(names_in(run), (Names{"latest", "step-0.tmp.999999999", "step-1", "step-2", "step-4"}));
  EXPECT_EQ(names_in(run / "step-0.tmp.999999999"), (Names{"notes.md"}));
  EXPECT_TRUE(is_small_state(interop::load_any(run / "step-2", true, reporter_), 2));
  EXPECT_TRUE(is_small_state(interop::load_any(elsewhere, true, reporter_), 1));
  // Saving the step again replaces it nevertheless, and moves the user's file to the temporary
  // folder.
  save_small(run, 2);
  EXPECT_EQ(names_in(run / "step-2"),
            (Names{"manifest.json", "model.safetensors", "optimizer.safetensors"}));
  EXPECT_EQ(text(temporary_path(run, 2) / "notes.md"), "the good one");
  save_small(run, 2);
  EXPECT_EQ(load_newest(run, true, reporter_)->step, 2);
  EXPECT_EQ(text(run / "step-2" / "notes.md"), "the good one");
}

TEST_F(SaveTest, RemovingCheckpointsKeepsOtherFilesAndFollowsNoLink) {
  const fs::path elsewhere = folder_ / "elsewhere", run = folder_ / "run";
  save_small(elsewhere, 1);
  for (const int64_t number : {1, 2, 3}) save_small(run, number);
  remove_checkpoints(run);
  EXPECT_FALSE(fs::exists(run));
  for (const int64_t number : {1, 2, 3}) save_small(run, number);
  fs::create_directory_symlink(elsewhere / "step-1", run / "step-4");
  overwrite(run / "step-2" / "notes.md", "mine");
  overwrite(run / "step-3" / "manifest.json", "damaged");
  overwrite(run / "README", "mine");
  EXPECT_TRUE(has_steps(run));
  remove_checkpoints(run);
  EXPECT_EQ(names_in(run), (Names{"README", "step-2"}));
  EXPECT_EQ(names_in(run / "step-2"), (Names{"notes.md"}));
  EXPECT_TRUE(is_small_state(interop::load_any(elsewhere, true, reporter_), 1));
  EXPECT_FALSE(has_steps(run));
  EXPECT_EQ(load_newest(run, true, reporter_), std::nullopt);
}

// A user has put weights in a folder that is named like a step, and has copied a checkpoint.
TEST_F(SaveTest, WhatHasNoManifestOfOursIsNeitherRemovedNorReplaced) {
  for (const int64_t number : {1, 2}) save_small(folder_, number);
  fs::create_directories(step(3));
  overwrite(step(3) / "model.safetensors", "mine");
  EXPECT_EQ(first_foreign_step(folder_), step(3));
  EXPECT_NE(error_of([&] { remove_checkpoints(folder_); }).find("step-3 has no manifest"),
            std::string::npos);
  EXPECT_EQ(names_in(folder_), (Names{"latest", "step-1", "step-2", "step-3"}));
  for (const char* aside : {"step-3.aside", "step-3.aside-2"}) {
    save_small(folder_, 3);
    EXPECT_EQ(newest(), 3);
    EXPECT_EQ(text(folder_ / aside / "model.safetensors"), "mine");
    fs::remove(step(3) / "manifest.json");
    overwrite(step(3) / "model.safetensors", "mine");
  }
  fs::remove_all(step(3));
  EXPECT_EQ(first_foreign_step(folder_), std::nullopt);
  fs::copy(step(2), folder_ / "step-2.old");
  save_small(folder_, 4);
  EXPECT_TRUE(fs::exists(folder_ / "step-2.old" / "manifest.json"));
}

TEST_F(SaveTest, AfterGoingBackTheLastWrittenIsTheNewest) {
  for (const int64_t number : {100, 200, 300}) save_small(folder_, number);
  save_small(folder_, 150);  // as after a resume from step 100
  EXPECT_EQ(newest(), 150);
  EXPECT_EQ(names_in(folder_), (Names{"latest", "step-150", "step-200", "step-300"}));
  save_small(folder_, 200);  // replaces the step 200 that was saved before the resume
  EXPECT_EQ(newest(), 200);
  EXPECT_EQ(text(folder_ / "latest"), "step-200\n");
}

TEST_F(SaveTest, SavingAStepAgainReplacesIt) {
  save_small(folder_, 7);
  SmallState other(8);
  other.state["step"] = "seven, once more";
  save(folder_, 7, other.model(), {}, other.state, {});
  const Checkpoint found = interop::load_any(folder_, true, reporter_);
  EXPECT_EQ(found.step, 7);
  EXPECT_EQ(found.state, other.state);
  EXPECT_TRUE(same_tensors(found.model, other.model()));
  EXPECT_TRUE(found.optimizer.tensors.empty());
  EXPECT_EQ(names_in(folder_), (Names{"latest", "step-7"}));
}

TEST_F(SaveTest, WhereNamesCannotBeSwappedReplacingWorksToo) {
  save_small(folder_, 7);
  failpoint::arm("checkpoint.exchange.before:1+:EINVAL");
  save(folder_, 7, SmallState(8).model(), {}, "again", {});
  EXPECT_EQ(failpoint::hits(), 1);
  EXPECT_EQ(interop::load_any(folder_, true, reporter_).state, "again");
  EXPECT_EQ(names_in(folder_), (Names{"latest", "step-7"}));
}

TEST_F(SaveTest, LeftoversOfTheDeadGoAndThoseOfTheLivingStay) {
  const pid_t dead = [] {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(0);
    ::waitpid(child, nullptr, 0);
    return child;
  }();
  const std::string of_the_living = fmt::format("step-4.tmp.{}", ::getppid());
  for (const std::string& name :
       {fmt::format("step-3.tmp.{}", dead), fmt::format("step-3.tmp.{}", ::getpid()), of_the_living,
        std::string("step-x.tmp.1"), std::string("step-03")}) {
    fs::create_directories(folder_ / name / "deeper");
    overwrite(folder_ / name / "model.safetensors", "half");
  }
  save_small(folder_, 5);
  EXPECT_EQ(names_in(folder_),
            (Names{"latest", "step-03", of_the_living, "step-5", "step-x.tmp.1"}));
  EXPECT_EQ(newest(), 5);
}

// Machines of a cluster can share the folder, and the process ids of two machines can be equal.
TEST_F(SaveTest, LeftoversOfAnotherMachineStay) {
  const std::string elsewhere = fmt::format("step-3.tmp.not-this-machine.{}", ::getpid());
  const fs::path own = temporary_path(folder_, 4);
  for (const fs::path& path : {folder_ / elsewhere, own}) {
    fs::create_directories(path);
    overwrite(path / "model.safetensors", "half");
  }
  save_small(folder_, 5);
  EXPECT_EQ(names_in(folder_), (Names{"latest", elsewhere, "step-5"}));
  remove_checkpoints(folder_);
  EXPECT_EQ(names_in(folder_), (Names{elsewhere}));
}

TEST_F(SaveTest, ATemporaryIsNotWrittenThroughALink) {
  fs::create_directories(folder_ / "mine");
  overwrite(folder_ / "mine" / "model.safetensors", "mine");
  fs::create_directory_symlink(folder_ / "mine", temporary_path(folder_, 5));
  save_small(folder_, 5);
  EXPECT_EQ(text(folder_ / "mine" / "model.safetensors"), "mine");
  EXPECT_EQ(newest(), 5);
}

TEST_F(SaveTest, TheNewestStateIsReadWithoutTheTensors) {
  EXPECT_EQ(newest_state(folder_ / "nothing"), std::nullopt);
  EXPECT_EQ(newest_state(folder_), std::nullopt);
  for (const int64_t number : {1, 2}) save_small(folder_, number);
  const nlohmann::json state = interop::load_any(folder_, false, reporter_).state;
  EXPECT_EQ(newest_state(folder_), state);
  overwrite(folder_ / "step-2" / "manifest.json", "{}");
  EXPECT_EQ(newest_state(folder_), interop::load_any(folder_ / "step-1", false, reporter_).state);
}

TEST_F(SaveTest, ADamagedNewestOneIsSkippedWithItsReasonAndKept) {
  for (const int64_t number : {1, 2, 3}) save_small(folder_, number);
  std::string model = text(step(3) / "model.safetensors");
  model[model.size() - 20] ^= 1;
  overwrite(step(3) / "model.safetensors", model);
  fs::resize_file(step(2) / "optimizer.safetensors", 10);
  EXPECT_EQ(newest(), 1);
  ASSERT_EQ(reporter_.warnings.size(), 2U);
  EXPECT_NE(reporter_.warnings[0].find("step-3/model.safetensors is damaged"), std::string::npos);
  EXPECT_NE(reporter_.warnings[1].find("step-2/optimizer.safetensors has 10 bytes"),
            std::string::npos);
  EXPECT_NE(error_of([&] { interop::verify_any(step(3)); }).find("hash"), std::string::npos);
  EXPECT_NE(error_of([&] { interop::verify_any(step(2)); }).find("its manifest says"),
            std::string::npos);
  EXPECT_NE(error_of([&] { interop::load_any(step(3), false, reporter_); }).find("damaged"),
            std::string::npos);
  // Later saves neither remove nor count a checkpoint that is damaged visibly, as step 2 is by its
  // file size.
  for (const int64_t number : {4, 5}) save_small(folder_, number, {.keep_last = 4});
  EXPECT_EQ(names_in(folder_), (Names{"latest", "step-1", "step-2", "step-3", "step-4", "step-5"}));
  save_small(folder_, 6, {.keep_last = 1});
  EXPECT_EQ(names_in(folder_), (Names{"latest", "step-2", "step-6"}));
  reporter_.warnings.clear();
  EXPECT_EQ(newest(), 6);
  EXPECT_TRUE(reporter_.warnings.empty());  // the damaged checkpoint is older than the newest
}

// A file that may not be read, such as another user's, is not reported as damaged.
TEST_F(SaveTest, WhatMayNotBeReadIsNotCalledDamaged) {
  for (const int64_t number : {1, 2}) save_small(folder_, number);
  failpoint::arm("read.open.before:1:EACCES");  // fails once
  EXPECT_EQ(newest(), 2);
  failpoint::disarm();
  const auto says = [&](const std::string& part) {
    return std::any_of(reporter_.warnings.begin(), reporter_.warnings.end(),
                       [&](const std::string& line) { return line.find(part) != line.npos; });
  };
  failpoint::arm("read.open.before:1+:EACCES");
  const std::string error = error_of([&] { newest(); });
  failpoint::disarm();
  EXPECT_NE(error.find("none of the 2 checkpoints in"), std::string::npos) << error;
  EXPECT_NE(error.find("can be read; the newest: cannot open"), std::string::npos) << error;
  EXPECT_NE(error.find("Permission denied"), std::string::npos) << error;
  EXPECT_TRUE(says("which cannot be read: cannot open"));
  EXPECT_FALSE(says("damaged"));
}

TEST_F(SaveTest, AllDamagedIsAnErrorNotAFreshStart) {
  save_small(folder_, 1);
  save_small(folder_, 2);
  fs::remove(step(1) / "optimizer.safetensors");
  overwrite(step(2) / "manifest.json", "{");
  const std::string error = error_of([&] { newest(); });
  EXPECT_NE(error.find("none of the 2 checkpoints"), std::string::npos) << error;
  EXPECT_EQ(reporter_.warnings.size(), 2U);
}

TEST_F(SaveTest, ALatestThatNamesWhatIsGoneIsAWarning) {
  for (const int64_t number : {1, 2}) save_small(folder_, number);
  fs::remove_all(step(2));
  EXPECT_EQ(newest(), 1);
  ASSERT_EQ(reporter_.warnings.size(), 1U);
  EXPECT_NE(reporter_.warnings[0].find("names step 2"), std::string::npos);
}

TEST_F(SaveTest, ARenamedFolderIsNotTakenForThatStep) {
  save_small(folder_, 1);
  fs::rename(step(1), step(9));
  EXPECT_NE(error_of([&] { newest(); }), "");
  EXPECT_NE(error_of([&] { interop::verify_any(step(9)); }).find("holds step 1"),
            std::string::npos);
}

TEST_F(SaveTest, StatesThatJsonCannotHoldAreRefusedBeforeAnythingIsCommitted) {
  save_small(folder_, 1);
  const SmallState small(2);
  for (const nlohmann::json& state :
       {nlohmann::json{{"best", std::numeric_limits<double>::infinity()}},
        nlohmann::json{{"loss", std::nan("")}}, nlohmann::json{{"recipe", "\xff"}}}) {
    EXPECT_NE(error_of([&] { save(folder_, 2, small.model(), {}, state, {}); }), "");
  }
  EXPECT_EQ(names_in(folder_), (Names{"latest", "step-1"}));
}

TEST_F(SaveTest, StatesComeBackExactly) {
  const nlohmann::json state = {{"pi", 3.141592653589793},
                                {"tiny", 5e-324},
                                {"minus", -0.0},
                                {"large", std::numeric_limits<uint64_t>::max()},
                                {"small", std::numeric_limits<int64_t>::min()},
                                {"text", "line\n\"quoted\" ü"},
                                {"list", {1, nullptr, true, {{"deep", {}}}}}};
  save(folder_, 1, {}, {}, state, {});
  EXPECT_EQ(interop::load_any(folder_, true, reporter_).state.dump(), state.dump());
}

// The tensor is reserved address space that cannot be read, so a write without the prior space
// check would crash.
TEST_F(SaveTest, TooLittleSpaceIsRefusedEarly) {
  save_small(folder_, 1);
  const uint64_t bytes = 2 * fs::space(folder_).available;
  void* reserved =
      ::mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED) GTEST_SKIP() << "cannot reserve " << bytes << " bytes of addresses";
  const std::vector<formats::TensorView> huge = {
      {"huge",
       "U8",
       {static_cast<int64_t>(bytes)},
       {static_cast<const std::byte*>(reserved), bytes}}};
  const std::string error = error_of([&] { save(folder_, 2, huge, {}, {}, {}); });
  ::munmap(reserved, bytes);
  EXPECT_NE(error.find("MB free"), std::string::npos) << error;
  EXPECT_EQ(names_in(folder_), (Names{"latest", "step-1"}));
}

// RELIABILITY.md, G9: one random change in the newer of two checkpoints. Loading falls back to the
// older checkpoint, unless the change affects nothing that is loaded.
TEST_F(SaveTest, RandomDamageIsDetectedOrHarmless) {
  save_small(folder_, 1);
  save_small(folder_, 2);
  int64_t fell_back = 0, harmless = 0;
  constexpr uint64_t kChanges = 1500;
  for (uint64_t change = 0; change < kChanges; ++change) {
    KeyedRandom random(3, Purpose::kSynthetic, 0, change);
    const char* names[] = {"manifest.json", "model.safetensors", "optimizer.safetensors"};
    const fs::path path = step(2) / names[random.below(3)];
    const std::string whole = text(path);
    std::string damaged = whole;
    if (random.below(4) == 0) {
      damaged.resize(random.below(whole.size()));
    } else {
      damaged[random.below(whole.size())] ^= static_cast<char>(1U << random.below(8));
    }
    overwrite(path, damaged);
    reporter_.warnings.clear();
    const auto found = load_newest(folder_, true, reporter_);
    ASSERT_TRUE(found.has_value());
    const bool verifies = error_of([&] { interop::verify_any(step(2)); }).empty();
    if (found->step == 1) {
      ++fell_back;
      ASSERT_TRUE(is_small_state(*found, 1));
      ASSERT_EQ(reporter_.warnings.size(), 1U);
      ASSERT_NE(reporter_.warnings[0].find(path.filename()), std::string::npos)
          << reporter_.warnings[0];
      ASSERT_FALSE(verifies);
    } else {
      ++harmless;  // white space of the manifest
      ASSERT_TRUE(is_small_state(*found, 2)) << path << " change " << change;
      ASSERT_TRUE(verifies);
      ASSERT_EQ(path.filename(), "manifest.json");
    }
    overwrite(path, whole);
  }
  EXPECT_EQ(fell_back + harmless, static_cast<int64_t>(kChanges));
  EXPECT_GT(fell_back, static_cast<int64_t>(kChanges) * 9 / 10);
  EXPECT_GT(harmless, 0);
}

TEST_F(SaveTest, ManifestsOfOthersAreRefused) {
  save_small(folder_, 1);
  const fs::path manifest = step(1) / "manifest.json";
  const std::string good = text(manifest);
  const auto reason_with = [&](const std::string& from, const std::string& to) {
    std::string changed = good;
    const size_t place = changed.find(from);
    EXPECT_NE(place, std::string::npos) << from;
    overwrite(manifest, changed.replace(place, from.size(), to));
    return error_of([&] { interop::load_any(step(1), true, reporter_); });
  };
  EXPECT_NE(reason_with("\"version\": 1", "\"version\": 2").find("newer release"),
            std::string::npos);
  EXPECT_NE(reason_with("fastconvmae checkpoint", "other").find("not a checkpoint manifest"),
            std::string::npos);
  EXPECT_NE(reason_with("\"step\": 1,\n \"v", "\"step\": 2,\n \"v").find("own hash"),
            std::string::npos);
  EXPECT_NE(reason_with("model.safetensors", "../../etc/passwd").find("own hash"),
            std::string::npos);
  overwrite(manifest, std::string(1000000, '['));
  EXPECT_NE(error_of([&] { interop::load_any(step(1), true, reporter_); }).find("nested deeper"),
            std::string::npos);
  overwrite(manifest, "[]");
  EXPECT_NE(error_of([&] {
              interop::load_any(step(1), true, reporter_);
            }).find("not a checkpoint manifest"),
            std::string::npos);
  overwrite(manifest, good);
  EXPECT_NO_THROW(interop::load_any(step(1), true, reporter_));
}

}  // namespace
}  // namespace fcm::checkpoint
