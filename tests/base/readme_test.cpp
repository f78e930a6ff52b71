// Tests that the README of a folder, or one of a folder above it, names every file and folder in
// it, and that each folder of fcm/ has a README.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "fcm/base/file.h"

namespace fcm {
namespace {

namespace fs = std::filesystem;

// The words of a README that may be names: those in backticks, in indented lines and in link
// targets. A star is part of a word: `cpu_*` names everything that begins with "cpu_".
std::set<std::string> names_in(const std::string& readme) {
  static const std::regex quoted(R"(`([^`\n]*)`|\]\(([^)\n]*)\)|(?:^|\n)    ([^\n]*))");
  static const std::regex word(R"([A-Za-z0-9_*-]+)");
  std::set<std::string> names;
  for (std::sregex_iterator found(readme.begin(), readme.end(), quoted), end; found != end;
       ++found) {
    const std::string text = (*found)[1].str() + " " + (*found)[2].str() + " " + (*found)[3].str();
    for (std::sregex_iterator name(text.begin(), text.end(), word); name != end; ++name) {
      names.insert(name->str());
    }
  }
  return names;
}

bool fits(const std::string& pattern, const std::string& name) {
  const size_t star = pattern.find('*');
  if (star == pattern.npos) return pattern == name;
  return pattern.size() > 1 && name.size() + 1 >= pattern.size() &&
         name.starts_with(pattern.substr(0, star)) && name.ends_with(pattern.substr(star + 1));
}

// The entries (files and folders) that no name fits. A name without extension fits too.
std::vector<std::string> unnamed(const std::set<std::string>& names,
                                 const std::vector<std::string>& entries) {
  std::vector<std::string> missing;
  for (const std::string& entry : entries) {
    const std::string stem = entry.substr(0, entry.find('.'));
    const bool known = std::any_of(names.begin(), names.end(),
                                   [&](const std::string& pattern) { return fits(pattern, stem); });
    if (!known) missing.push_back(entry);
  }
  return missing;
}

std::vector<std::string> entries_of(const fs::path& folder) {
  std::vector<std::string> entries;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    if (name != "README.md" && name != "CMakeLists.txt" && name[0] != '.') entries.push_back(name);
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

// The names that apply to a folder: those in its own README, and those in the READMEs of its
// parents up to `root`, which may name files that several folders have (fcm/ops/README.md).
std::set<std::string> names_for(const fs::path& folder, const fs::path& root) {
  std::set<std::string> names;
  for (fs::path place = folder; place != root; place = place.parent_path()) {
    if (!fs::exists(place / "README.md")) continue;
    names.merge(names_in(read_file(place / "README.md", ExitCode::kData)));
  }
  return names;
}

TEST(Readme, OfEachFolderNamesItsFilesAndFolders) {
  const fs::path root = FCM_SOURCE_DIR;
  int folders = 0;
  for (const char* part : {"fcm", "apps", "bench", "reference", "tests"}) {
    if (!fs::exists(root / part)) continue;
    std::vector<fs::path> with_readme = {root / part};
    for (const auto& entry : fs::recursive_directory_iterator(root / part)) {
      if (entry.is_directory()) with_readme.push_back(entry.path());
    }
    for (const fs::path& folder : with_readme) {
      if (!fs::exists(folder / "README.md")) continue;
      ++folders;
      EXPECT_EQ(unnamed(names_for(folder, root), entries_of(folder)), std::vector<std::string>{})
          << folder.lexically_relative(root).string() << "/README.md";
    }
  }
  EXPECT_GT(folders, 20);
}

TEST(Readme, IsInEachFolderOfTheLibrary) {
  for (const auto& entry : fs::directory_iterator(fs::path(FCM_SOURCE_DIR) / "fcm")) {
    if (!entry.is_directory()) continue;
    EXPECT_TRUE(fs::exists(entry.path() / "README.md")) << entry.path();
  }
}

TEST(Readme, AFileThatIsNotNamedIsNoticed) {
  const std::set<std::string> names = names_in(
      "# things\nWhat file.h and random do.\n\n| `system_call.h` | x |\n| [parity](parity/README.md) "
      "| y |\n\n    adamw.*   groups\n\nKernels: `cpu_*.cpp`.\n");
  const std::vector<std::string> entries = {"system_call.h", "system_call.cpp", "parity",
                                            "adamw.h",       "cpu_avx2.cpp",    "file.h",
                                            "random.cpp",    "cpu.cpp"};
  EXPECT_EQ(unnamed(names, entries), (std::vector<std::string>{"file.h", "random.cpp", "cpu.cpp"}));
}

}  // namespace
}  // namespace fcm
