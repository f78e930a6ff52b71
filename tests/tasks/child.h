// Starts the program as a user does, and waits for it.
#pragma once

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/scratch.h"

namespace fcm::tests {

using test::Scratch;

// Runs the program with these arguments. `largest_file` limits file sizes in bytes, which acts like
// a full disk; 0: no limit. stdout goes to `output` and stderr to `messages` if these are set.
inline pid_t start(std::vector<std::string> words, rlim_t largest_file = 0,
                   const std::filesystem::path& output = {},
                   const std::filesystem::path& messages = {}) {
  const std::string program = FCM_PROGRAM;
  words.insert(words.begin(), program);
  const pid_t child = ::fork();
  if (child != 0) return child;
  if (!output.empty() && std::freopen(output.c_str(), "w", stdout) == nullptr) ::_exit(126);
  if (!messages.empty() && std::freopen(messages.c_str(), "w", stderr) == nullptr) ::_exit(126);
  if (largest_file > 0) {
    const rlimit limit{largest_file, largest_file};
    ::signal(SIGXFSZ, SIG_IGN);  // write() then fails with EFBIG
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  ::execv(arguments[0], arguments.data());
  ::_exit(127);
}

// The exit status; 128 + signal for a child that was killed.
inline int wait_for(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace fcm::tests
