// Tests that chapter 12 of docs/tour lists every command and every key of a recipe.
#include <gtest/gtest.h>

#include <filesystem>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "fcm/base/file.h"

namespace fcm {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// Whether a line lists the command: "bench step" by `bench step or, in a list, by `bench and `step.
bool lists_command(const std::string& chapter, const std::string& command) {
  const size_t space = command.find(' ');
  const std::string first = "`" + command.substr(0, space);
  for (const std::string& line : lines_of(chapter)) {
    if (line.find("`" + command) != line.npos) return true;
    if (space == command.npos || line.find(first) == line.npos) continue;
    if (line.find("`" + command.substr(space + 1)) != line.npos) return true;
  }
  return false;
}

// Whether a table row lists the key: "run.seed" by a row that begins with `[run]` and has `seed`.
bool lists_key(const std::string& chapter, const std::string& name) {
  const size_t dot = name.find('.');
  const std::string section = "| `[" + name.substr(0, dot) + "]`",
                    key = "`" + name.substr(dot + 1) + "`";
  for (const std::string& line : lines_of(chapter)) {
    if (line.starts_with(section) && line.find(key) != line.npos) return true;
  }
  return false;
}

// All keys of the shipped recipes: every key except debug.reference_ops, because recipes are
// complete otherwise.
std::set<std::string> keys_of_recipes(const fs::path& folder) {
  static const std::regex section(R"(\[(\w+)\].*)"), key(R"((\w+) *=.*)");
  std::set<std::string> keys;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != ".toml") continue;
    std::string here;
    for (const std::string& line : lines_of(read_file(entry.path(), ExitCode::kData))) {
      std::smatch parts;
      if (std::regex_match(line, parts, section)) here = parts[1];
      if (std::regex_match(line, parts, key)) keys.insert(here + "." + parts[1].str());
    }
  }
  return keys;
}

// All commands: each has a file with its help text that is named after it
// (tests/apps/help_test.cpp).
std::vector<std::string> commands(const fs::path& help) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(help)) {
    std::string name = entry.path().stem();
    if (const size_t gap = name.find('_'); gap != name.npos) name[gap] = ' ';
    if (name != "fastconvmae") names.push_back(name);
  }
  return names;
}

class Chapter12 : public testing::Test {
 protected:
  const fs::path root_ = FCM_SOURCE_DIR;
  const std::string chapter_ =
      read_file(root_ / "docs/tour/12-recipes-and-command-line.md", ExitCode::kData);
};

TEST_F(Chapter12, ListsEveryCommand) {
  const std::vector<std::string> all = commands(root_ / "tests/apps/help");
  EXPECT_GT(all.size(), 20U);
  for (const std::string& name : all) EXPECT_TRUE(lists_command(chapter_, name)) << name;
}

TEST_F(Chapter12, ListsEveryKey) {
  const std::set<std::string> all = keys_of_recipes(root_ / "recipes");
  EXPECT_GT(all.size(), 70U);
  for (const std::string& name : all) EXPECT_TRUE(lists_key(chapter_, name)) << name;
  EXPECT_TRUE(lists_key(chapter_, "debug.reference_ops"));  // the only key that recipes omit
}

TEST_F(Chapter12, WhatIsMissingIsNoticed) {
  const std::string chapter =
      "| `demo` | x |\n| `recipe list`, `show` | y |\n| `[run]` | `seed` |\nrecipe check, `keys`\n";
  for (const char* name : {"demo", "recipe list", "recipe show"}) {
    EXPECT_TRUE(lists_command(chapter, name)) << name;
  }
  for (const char* name : {"knn", "recipe check", "recipe keys", "bench list"}) {
    EXPECT_FALSE(lists_command(chapter, name)) << name;
  }
  EXPECT_TRUE(lists_key(chapter, "run.seed"));
  EXPECT_FALSE(lists_key(chapter, "data.seed"));
  EXPECT_FALSE(lists_key(chapter, "run.see"));
}

}  // namespace
}  // namespace fcm
