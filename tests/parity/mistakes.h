// Helpers of tests that plant a mistake in the inputs of cases and expect the cases to fail. The
// stored results stay unchanged.
#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "tests/parity/cases.h"

namespace fcm::parity {

inline const std::filesystem::path kShared = std::filesystem::path(FCM_SOURCE_DIR) / "../shared";

inline std::vector<CaseResult> run(const std::filesystem::path& folder, const std::string& file,
                                   const std::string& filter, const InputMistake& mistake) {
  for (const Entry& entry : find_entries(folder)) {
    if (entry.path() != folder / file) continue;
    return run_cases(entry, {entry.file + " [" + filter, mistake});
  }
  ADD_FAILURE() << file << " is not in the manifest";
  return {};
}

// Whether a fault is about an input. Cases compare inputs too, but a mistake must cause a fault in
// a computed tensor.
inline bool is_of_inputs(const std::string& fault) {
  return fault.starts_with("state.") || fault.starts_with("noise:") || fault.starts_with("images:");
}

// Expects that all cases of the file pass without the mistake and fail with it.
inline void expect_noticed_in(const std::filesystem::path& folder, const std::string& file,
                              const InputMistake& mistake, const std::string& filter = "") {
  if (!std::filesystem::exists(folder / file)) GTEST_SKIP() << "no " << folder / file;
  const std::vector<CaseResult> right = run(folder, file, filter, {}),
                                wrong = run(folder, file, filter, mistake);
  ASSERT_FALSE(right.empty());
  ASSERT_EQ(right.size(), wrong.size());
  for (size_t i = 0; i < right.size(); ++i) {
    EXPECT_TRUE(right[i].passed()) << right[i].name;
    EXPECT_FALSE(std::ranges::all_of(wrong[i].faults, is_of_inputs)) << wrong[i].name;
  }
}

inline void swap_weights(Inputs& inputs, const std::string& one, const std::string& other) {
  std::swap(inputs.weights.at(one), inputs.weights.at(other));
}

}  // namespace fcm::parity
