// What tests of files share that must survive a process that dies and calls that fail.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "fcm/base/failpoint.h"
#include "tests/support/scratch.h"

namespace fcm::test {

// A folder for each test; no failpoint stays armed behind it.
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

// The signal that ended a child which ran `action`; 0: it came to its end.
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
