// Help texts are part of the interface. Each is stored in a file, so that a change shows in the
// diff. To accept changes: FCM_UPDATE_HELP=1 build/bin/test_apps --gtest_filter='*Help*'
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "apps/command.h"
#include "tests/apps/program.h"

namespace fcm::apps {
namespace {

const std::filesystem::path kStored = std::filesystem::path(FCM_SOURCE_DIR) / "tests/apps/help";

// The program itself, its groups of commands, and its commands.
std::vector<std::string> all_with_help() {
  std::vector<std::string> names = {""};
  for (const Group& group : all_groups()) names.push_back(group.name);
  for (const Command& command : all_commands()) names.push_back(command.name);
  return names;
}

std::string file_of(std::string name) {
  if (name.empty()) name = "fastconvmae";
  std::replace(name.begin(), name.end(), ' ', '_');
  return name + ".txt";
}

class Help : public testing::TestWithParam<std::string> {};

TEST_P(Help, IsAsStored) {
  const Outcome outcome = run_here(GetParam() + " --help");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.err, "");
  EXPECT_TRUE(outcome.out.find("Usage: fastconvmae") != std::string::npos) << outcome.out;
  const std::filesystem::path file = kStored / file_of(GetParam());
  if (std::getenv("FCM_UPDATE_HELP") != nullptr) std::ofstream(file) << outcome.out;
  EXPECT_EQ(outcome.out, content_of(file)) << "to accept the change, see the top of help_test.cpp";
}

INSTANTIATE_TEST_SUITE_P(Commands, Help, testing::ValuesIn(all_with_help()));

TEST(HelpFiles, AreOfCommandsThatExist) {
  std::set<std::string> expected;
  for (const std::string& name : all_with_help()) expected.insert(file_of(name));
  std::set<std::string> stored;
  for (const auto& file : std::filesystem::directory_iterator(kStored)) {
    stored.insert(file.path().filename().string());
  }
  EXPECT_EQ(stored, expected);
}

}  // namespace
}  // namespace fcm::apps
