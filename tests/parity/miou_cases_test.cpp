// Stored maps of classes pass, and a stored number that is changed is noticed.
#include "tests/parity/miou_cases.h"

#include <gtest/gtest.h>

#include <fstream>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "tests/parity/mistakes.h"
#include "tests/support/scratch.h"

namespace fcm::parity {
namespace {

namespace fs = std::filesystem;

// The results of one file of a set.
std::vector<CaseResult> results_of(const fs::path& set, const std::string& file) {
  for (const Entry& entry : find_entries(set)) {
    if (entry.file == file) return run_cases(entry, {});
  }
  ADD_FAILURE() << file << " is not in the manifest of " << set;
  return {};
}

// With `before` replaced by `after` in one of the set's JSON files.
struct ChangedSet {
  std::string set, file, json, before, after;
};

TEST(ParityOfMaps, AChangedNumberIsNoticed) {
  for (const ChangedSet& one :
       {ChangedSet{"eval_miou", "tensors.safetensors", "expected.json", "0.4196933", "0.4196934"},
        ChangedSet{"segmentation", "metrics.safetensors", "metrics.json", "42.68", "42.69"},
        ChangedSet{"segmentation", "windows.json", "windows.json", "171", "170"},
        ChangedSet{"eval_slide", "golden.safetensors", "expected.json", "\"stride\": 43",
                   "\"stride\": 42"}}) {
    const fs::path from = kShared / "goldens" / one.set;
    if (!fs::exists(from)) GTEST_SKIP() << "no " << from;
    SCOPED_TRACE(one.set + "/" + one.json);
    for (const CaseResult& result : results_of(from, one.file)) {
      EXPECT_TRUE(result.passed()) << result.name;
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
    for (const CaseResult& result : results_of(to, one.file)) {
      EXPECT_FALSE(result.passed()) << result.name;
    }
  }
}

}  // namespace
}  // namespace fcm::parity
