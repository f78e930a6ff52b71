// Helpers of tests that change a value in a set of stored results and expect its cases to fail.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "tests/parity/mistakes.h"
#include "tests/support/scratch.h"

namespace fcm::parity {

// Runs the cases of one file of a set.
inline std::vector<CaseResult> results_of(const std::filesystem::path& set,
                                          const std::string& file) {
  for (const Entry& entry : find_entries(set)) {
    if (entry.file == file) return run_cases(entry, {});
  }
  ADD_FAILURE() << file << " is not in the manifest of " << set;
  return {};
}

// The set `set`, but with the text `before` in its file `json` replaced by `after`; the cases of
// `file` read `json`.
struct ChangedSet {
  std::string set, file, json, before, after;
};

// Expects that the cases of `one.file` pass with the stored set and fail with the changed one.
inline void expect_change_noticed(const ChangedSet& one) {
  namespace fs = std::filesystem;
  const fs::path from = kShared / "goldens" / one.set;
  if (!fs::exists(from)) GTEST_SKIP() << "no " << from;
  SCOPED_TRACE(one.set + "/" + one.json + " " + one.before);
  const std::vector<CaseResult> right = results_of(from, one.file);
  ASSERT_EQ(right.size(), 1U);
  for (const CaseResult& result : right) {
    EXPECT_TRUE(result.passed()) << result.name << " "
                                 << (result.faults.empty() ? "" : result.faults[0]);
  }
  const test::Scratch scratch;
  const fs::path to = scratch / one.set;
  fs::create_directories(to);
  for (const fs::directory_entry& file : fs::directory_iterator(from)) {
    const std::string name = file.path().filename().string();
    if (name != one.json) fs::create_symlink(fs::absolute(file.path()), to / name);
  }
  std::string text = read_file(from / one.json, ExitCode::kData);
  const size_t at = text.find(one.before);
  ASSERT_NE(at, std::string::npos);
  text.replace(at, one.before.size(), one.after);
  std::ofstream(to / one.json) << text;
  const std::vector<CaseResult> wrong = results_of(to, one.file);
  ASSERT_EQ(wrong.size(), right.size());
  for (const CaseResult& result : wrong) EXPECT_FALSE(result.passed()) << result.name;
}

}  // namespace fcm::parity
