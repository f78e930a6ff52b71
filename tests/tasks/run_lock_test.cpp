// Only one process may use a run folder at a time.
#include "fcm/tasks/run_lock.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <optional>

#include "fcm/base/process.h"
#include "fcm/tasks/run_files.h"
#include "fcm/tasks/run_folder.h"
#include "tests/support/error_of.h"
#include "tests/tasks/child.h"

namespace fcm::tasks {
namespace {

namespace fs = std::filesystem;

// A process that holds the lock of a folder until it is told to end.
class Holder {
 public:
  explicit Holder(const fs::path& folder) {
    int ready[2], go[2];
    if (::pipe(ready) != 0 || ::pipe(go) != 0) return;
    child_ = ::fork();
    if (child_ == 0) {
      ::close(go[1]);
      SilentReporter silence;
      const RunLock lock(folder, silence);
      char letter = 'x';
      if (::write(ready[1], &letter, 1) != 1 || ::read(go[0], &letter, 1) != 1) ::_exit(1);
      ::_exit(0);
    }
    ::close(go[0]);
    ::close(ready[1]);
    go_ = go[1];
    char letter = 0;
    held_ = ::read(ready[0], &letter, 1) == 1;
    ::close(ready[0]);
  }
  ~Holder() { end(SIGTERM); }
  void end(int signal) {
    if (child_ <= 0) return;
    ::kill(child_, signal);
    tests::wait_for(child_);
    ::close(go_);
    child_ = 0;
  }
  bool held() const { return held_; }
  pid_t process() const { return child_; }

 private:
  pid_t child_ = 0;
  int go_ = -1;
  bool held_ = false;
};

class Lock : public testing::Test {
 protected:
  Lock() { fs::create_directories(run_); }

  std::string refused() {
    return test::error_of(ExitCode::kUsage, [&] { RunLock(run_, silence_); });
  }

  tests::Scratch scratch_;
  SilentReporter silence_;
  const fs::path run_ = scratch_ / "run";
};

TEST_F(Lock, TheOtherProcessIsNamed) {
  const Holder holder(run_);
  ASSERT_TRUE(holder.held());
  const std::string message = refused();
  EXPECT_NE(message.find(fmt::format("process {} on {}", holder.process(), host_name())),
            message.npos)
      << message;
  EXPECT_NE(message.find(run_.string()), message.npos) << message;
}

TEST_F(Lock, ItEndsWithTheProcessHoweverThatEnds) {
  for (const int signal : {SIGTERM, SIGKILL}) {
    Holder holder(run_);
    ASSERT_TRUE(holder.held());
    ASSERT_NE(refused(), "");
    holder.end(signal);
    EXPECT_EQ(refused(), "") << signal;
  }
}

TEST_F(Lock, IsGivenBackAndMayBeMoved) {
  std::optional<RunLock> lock;
  lock.emplace(run_, silence_);
  RunLock moved = std::move(*lock);
  lock.reset();
  EXPECT_NE(refused(), "");
  {
    const RunLock last = std::move(moved);
    EXPECT_NE(refused(), "");
  }
  EXPECT_EQ(refused(), "");
}

TEST_F(Lock, ALinkInItsPlaceIsNotFollowed) {
  fs::create_symlink("elsewhere", run_ / kLockFile);
  EXPECT_NE(refused(), "");
  EXPECT_FALSE(fs::exists(run_ / "elsewhere"));
}

// A refused command changes nothing, with or without --overwrite.
TEST_F(Lock, ARunInUseIsNotTouched) {
  const recipe::Recipe recipe;
  prepare_run_folder({run_}, recipe, silence_);
  write_file_durably(run_ / "log.jsonl", "{\"step\": 4}\n", ExitCode::kUsage);
  const Holder holder(run_);
  ASSERT_TRUE(holder.held());
  const auto everything = [&] {
    std::string text;
    for (const auto& entry : fs::recursive_directory_iterator(run_)) {
      text += entry.path().string();
      if (entry.is_regular_file()) text += read_file(entry.path(), ExitCode::kUsage);
    }
    return text;
  };
  const std::string before = everything();
  for (const bool overwrite : {false, true}) {
    const std::string message = test::error_of(ExitCode::kUsage, [&] {
      prepare_run_folder({run_, "auto", overwrite}, recipe, silence_);
    });
    EXPECT_NE(message.find("is in use by process"), message.npos) << message;
    EXPECT_EQ(everything(), before) << overwrite;
  }
  EXPECT_THROW(remove_inner_run(run_, silence_), Error);
  EXPECT_EQ(everything(), before);
}

// Of two commands with the same --out the first trains, and the second is refused.
TEST_F(Lock, OfTwoProgramsOneTrains) {
  const fs::path both = scratch_ / "both";
  const auto program = [&](const std::string& steps) {
    return tests::start({"pretrain", "--recipe", "smoke_pretrain", "--data", "synthetic", "--out",
                         both.string(), "--quiet", "--threads", "1", "--set", "optim.epochs=9000",
                         "--set", "run.max_steps=" + steps});
  };
  const pid_t first = program("100000");
  siginfo_t ended{};
  while (!fs::exists(both / "recipe.toml") && ended.si_pid == 0) {  // written with the lock held
    ::usleep(10'000);
    ::waitid(P_PID, static_cast<id_t>(first), &ended, WEXITED | WNOHANG | WNOWAIT);
  }
  EXPECT_EQ(tests::wait_for(program("100000")), static_cast<int>(ExitCode::kUsage));
  ::kill(first, SIGTERM);
  EXPECT_EQ(tests::wait_for(first), static_cast<int>(ExitCode::kStopped));
  EXPECT_EQ(tests::wait_for(program("1")), 0) << "the lock must be free again";
}

}  // namespace
}  // namespace fcm::tasks
