// Tests that no code in fcm/, apps/, bench/ and reference/ removes a whole folder tree: the program
// may remove only files that it wrote (fcm/tasks/run_files.h).
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "fcm/base/file.h"

namespace fcm {
namespace {

namespace fs = std::filesystem;

// Whether the text contains a call that removes a folder recursively.
bool removes_a_tree(const std::string& text) {
  for (const char* call : {"remove_all", "nftw(", "\"rm -r"}) {
    if (text.find(call) != std::string::npos) return true;
  }
  return false;
}

TEST(Removal, NothingRemovesAWholeTree) {
  int files = 0;
  for (const char* part : {"fcm", "apps", "bench", "reference"}) {
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(FCM_SOURCE_DIR) / part)) {
      const fs::path ending = entry.path().extension();
      if (ending != ".cpp" && ending != ".h" && ending != ".cu") continue;
      ++files;
      EXPECT_FALSE(removes_a_tree(read_file(entry.path(), ExitCode::kData))) << entry.path();
    }
  }
  EXPECT_GT(files, 100);
}

TEST(Removal, ACallIsNoticed) {
  EXPECT_TRUE(removes_a_tree("  fs::remove_all(out, error);"));
  EXPECT_FALSE(removes_a_tree("  fs::remove(out, error);"));
}

}  // namespace
}  // namespace fcm
