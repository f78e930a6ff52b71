#include "apps/command_line.h"

#include <gtest/gtest.h>

#include "apps/results.h"
#include "fcm/base/error.h"

namespace fcm::apps {
namespace {

using Words = std::vector<std::string>;

// The value of the variable that a flag or argument is bound to.
std::string value_of(const CommandLine& line, const std::string& name) {
  for (const FlagFacts& facts : line.flags->facts()) {
    if (facts.names.front() == name) return facts.value;
  }
  ADD_FAILURE() << line.command << " has no " << name;
  return {};
}

TEST(CommandLine, FillsWhatTheFlagsAreBoundTo) {
  const CommandLine line =
      parse_command_line({"visualize", "--checkpoint", "c", "--images", "a.png", "b.png", "--out",
                          "o.png", "--seed", "3", "--json"});
  EXPECT_EQ(line.command, "visualize");
  EXPECT_EQ(value_of(line, "--checkpoint"), "c");
  EXPECT_EQ(value_of(line, "--images"), "a.png b.png");
  EXPECT_EQ(value_of(line, "--out"), "o.png");
  EXPECT_EQ(value_of(line, "--seed"), "3");
  EXPECT_TRUE(line.json);
  EXPECT_FALSE(line.quiet);
}

TEST(CommandLine, RecipesMayBeNamedLikeCommands) {
  const CommandLine line = parse_command_line({"recipe", "check", "demo", "knn"});
  EXPECT_EQ(line.command, "recipe check");
  EXPECT_EQ(value_of(line, "recipes"), "demo knn");
}

TEST(CommandLine, DataMayStandWithOrWithoutItsFlag) {
  EXPECT_EQ(value_of(parse_command_line({"data", "verify", "d"}), "--data"), "d");
  EXPECT_EQ(value_of(parse_command_line({"data", "verify", "--data", "d"}), "--data"), "d");
}

TEST(CommandLine, FlagsMayStandBeforeTheCommandAndInside) {
  for (const Words& words : {Words{"--seed", "7", "--json", "recipe", "show", "demo"},
                             Words{"--json", "recipe", "--seed=7", "show", "demo"},
                             Words{"recipe", "show", "demo", "--seed", "7", "--json"}}) {
    const CommandLine line = parse_command_line(words);
    EXPECT_EQ(line.command, "recipe show");
    EXPECT_EQ(value_of(line, "recipe"), "demo");
    EXPECT_EQ(value_of(line, "--seed"), "7");
    EXPECT_TRUE(line.json);
  }
}

TEST(CommandLine, VersionAndHelpNeedNothingElse) {
  EXPECT_TRUE(parse_command_line({"--version"}).version);
  EXPECT_TRUE(parse_command_line({"knn", "--version", "--json"}).version);
  EXPECT_TRUE(parse_command_line({"knn", "--version", "--json"}).json);
  EXPECT_EQ(parse_command_line({"knn", "-h"}).help, parse_command_line({"--help", "knn"}).help);
  EXPECT_EQ(parse_command_line({"-h"}).help, parse_command_line({"--help"}).help);
  EXPECT_NE(parse_command_line({"bench", "--help"}).help, parse_command_line({"--help"}).help);
  EXPECT_THROW(parse_command_line({}), Error);
}

TEST(Results, TextHasAlignedNamesAndShortNumbers) {
  EXPECT_EQ(as_text({{"knn", {{"raw", 81.23456789}, {"trained", 85.0}}}, {"images", 10000}}),
            "images       10000\nknn.raw      81.235\nknn.trained  85\n");
  EXPECT_EQ(as_text({{"name", "x"}, {"list", {1, 2}}, {"none", nullptr}}),
            "list.0  1\nlist.1  2\nname    x\nnone    null\n");
}

}  // namespace
}  // namespace fcm::apps
