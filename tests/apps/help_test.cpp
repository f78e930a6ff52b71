// Help texts are part of the interface: a change of one shows up here as a change of a stored file.
// To accept changes: FCM_UPDATE_HELP=1 build/bin/test_apps --gtest_filter='*Help*'
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/apps/program.h"

namespace fcm::apps {
namespace {

const std::filesystem::path kStored = std::filesystem::path(FCM_SOURCE_DIR) / "tests/apps/help";

class Help : public testing::TestWithParam<const char*> {};

TEST_P(Help, IsAsStored) {
  const std::string command = GetParam();
  const Outcome outcome = run_here(command + " --help");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.err, "");
  EXPECT_TRUE(outcome.out.find("Usage: fastconvmae") != std::string::npos) << outcome.out;
  std::string name = command.empty() ? "fastconvmae" : command;
  std::replace(name.begin(), name.end(), ' ', '_');
  const std::filesystem::path file = kStored / (name + ".txt");
  if (std::getenv("FCM_UPDATE_HELP") != nullptr) std::ofstream(file) << outcome.out;
  EXPECT_EQ(outcome.out, content_of(file)) << "see the head of help_test.cpp";
}

INSTANTIATE_TEST_SUITE_P(Commands, Help,
                         testing::Values("", "demo", "pretrain", "finetune", "eval", "linprobe",
                                         "knn", "features", "visualize", "report", "recipe",
                                         "recipe list", "recipe show", "recipe check",
                                         "recipe keys", "data", "data verify", "data pack",
                                         "checkpoint", "checkpoint show", "checkpoint convert",
                                         "checkpoint verify", "checkpoint diff", "bench checkpoint",
                                         "bench", "bench step", "bench ops", "bench loader",
                                         "bench knn"));

// A command without a stored text would escape the test above.
TEST(HelpFiles, CoverEveryCommandThatIsListed) {
  for (const char* group : {"", "recipe", "data", "checkpoint", "bench"}) {
    const std::string text = run_here(std::string(group) + " --help").out;
    const size_t start = text.find("Subcommands:\n");
    ASSERT_NE(start, std::string::npos) << group;
    std::istringstream lines(text.substr(start));
    std::string line;
    std::getline(lines, line);
    int found = 0;
    while (std::getline(lines, line) && line.starts_with("  ")) {
      const std::string command = line.substr(2, line.find(' ', 2) - 2);
      const std::string prefix = *group == '\0' ? "" : std::string(group) + "_";
      EXPECT_TRUE(std::filesystem::exists(kStored / (prefix + command + ".txt"))) << line;
      ++found;
    }
    EXPECT_GT(found, 0) << group;
  }
}

}  // namespace
}  // namespace fcm::apps
