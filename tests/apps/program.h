// Runs the program inside this process, which is fast, or as a separate process.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "apps/program.h"
#include "tests/support/scratch.h"

namespace fcm::apps {

struct Outcome {
  int status = -1;  // exit status; 128 + signal if a signal ended it
  std::string out;
  std::string err;
};

using test::Scratch;

inline std::string content_of(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

// `arguments` are split at spaces.
inline Outcome run_here(const std::string& arguments) {
  std::istringstream words(arguments);
  const std::vector<std::string> list{std::istream_iterator<std::string>(words), {}};
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  Outcome outcome;
  outcome.status = run_program(list);
  outcome.out = testing::internal::GetCapturedStdout();
  outcome.err = testing::internal::GetCapturedStderr();
  return outcome;
}

// Runs the built program; a shell splits `arguments`.
inline Outcome run_built(const std::string& arguments) {
  const Scratch scratch;
  const std::string errors = (scratch / "stderr").string();
  const std::string command = fmt::format("{} {} 2>{}", FCM_PROGRAM, arguments, errors);
  std::FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("popen failed");
  Outcome outcome;
  std::array<char, 4096> piece;
  while (const size_t got = std::fread(piece.data(), 1, piece.size(), pipe)) {
    outcome.out.append(piece.data(), got);
  }
  const int status = ::pclose(pipe);
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  outcome.err = content_of(errors);
  return outcome;
}

}  // namespace fcm::apps
