// Helpers for tests of files that must survive failing calls and the death of the process.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "fcm/base/failpoint.h"
#include "tests/support/scratch.h"

namespace fcm::test {

// A temporary folder for each test; disarms failpoints at its end.
class TemporaryFolderTest : public ::testing::Test {
 protected:
  ~TemporaryFolderTest() override {
    failpoint::disarm();
    failpoint::observe({});
  }

 private:
  const Scratch scratch_{memory_folder()};

 protected:
  const std::filesystem::path folder_ = scratch_.path();
};

// Runs `action` in a child process. Returns the signal that ended the child; 0 if `action`
// returned.
inline int signal_of_child(const std::function<void()>& action) {
  const pid_t child = ::fork();
  if (child == 0) {
    action();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

}  // namespace fcm::test
