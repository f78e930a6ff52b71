#include "apps/manual.h"

#include <gtest/gtest.h>

#include <map>

#include "apps/command.h"
#include "tests/apps/program.h"

namespace fcm::apps {
namespace {

std::map<std::string, std::string> texts() {
  std::map<std::string, std::string> all;
  for (const ManualPage& page : manual_pages()) all[page.file] = page.text;
  return all;
}

// Removes the backslashes of \-, which is a hyphen in troff.
std::string plain(std::string text) {
  for (size_t at; (at = text.find("\\-")) != text.npos;) text.erase(at, 1);
  return text;
}

TEST(Manual, HasAPageOfEachCommandWithItsFlags) {
  const auto pages = texts();
  EXPECT_EQ(pages.size(), all_commands().size() + 1);
  for (const Command& command : all_commands()) {
    std::string file = "fastconvmae-" + command.name + ".1";
    std::replace(file.begin(), file.end(), ' ', '-');
    ASSERT_TRUE(pages.contains(file)) << file;
    const std::string text = plain(pages.at(file));
    for (const FlagFacts& flag : declared(command).flags->facts()) {
      for (const std::string& name : flag.names) {
        const bool is_flag = name.starts_with('-');
        EXPECT_TRUE(!is_flag || text.find("\\fB" + name + "\\fR") != text.npos) << name;
      }
    }
    EXPECT_NE(plain(pages.at("fastconvmae.1")).find(file.substr(0, file.size() - 2)),
              std::string::npos);
  }
}

// Warnings of groff about the page.
std::string complaints(const std::string& page) {
  const Scratch scratch;
  const auto file = scratch.write("page.1", page);
  std::system(fmt::format("groff -man -ww -z -Tutf8 {0} 2>{0}.said", file.string()).c_str());
  return content_of(file.string() + ".said");
}

TEST(Manual, IsWhatGroffTakes) {
  if (std::system("command -v groff >/dev/null 2>&1") != 0)
    GTEST_SKIP() << "groff is not installed";
  for (const auto& [file, text] : texts()) EXPECT_EQ(complaints(text), "") << file;
  EXPECT_NE(complaints(".TH A 1\n.SH NAME\na \\- b\n.NOSUCH x\n"), "");
}

}  // namespace
}  // namespace fcm::apps
