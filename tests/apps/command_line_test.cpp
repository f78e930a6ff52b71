#include "apps/command_line.h"

#include <gtest/gtest.h>

#include "apps/results.h"
#include "fcm/base/error.h"

namespace fcm::apps {
namespace {

TEST(CommandLine, FillsTheOptionsOfItsCommand) {
  const Options options = parse_command_line({"visualize", "--checkpoint", "c", "--images", "a.png",
                                              "b.png", "--out", "o.png", "--seed", "3"})
                              .options;
  EXPECT_EQ(options.command, "visualize");
  EXPECT_EQ(options.checkpoint, "c");
  EXPECT_EQ(options.images, (std::vector<std::string>{"a.png", "b.png"}));
  EXPECT_EQ(options.out, "o.png");
  EXPECT_EQ(options.seed, 3);
}

TEST(CommandLine, TakesEveryFlagEverywhere) {
  const std::vector<std::vector<std::string>> commands{
      {"demo"},
      {"pretrain", "--recipe", "r", "--data", "d", "--out", "o"},
      {"linprobe", "--recipe", "r", "--data", "d", "--out", "o", "--checkpoint", "c"},
      {"knn", "--data", "d", "--checkpoint", "c"},
      {"finetune", "--recipe", "r", "--data", "d", "--out", "o", "--checkpoint", "c"},
      {"eval", "--data", "d", "--checkpoint", "c"},
      {"report", "run"},
      {"recipe", "show", "demo"},
      {"recipe", "check"},
      {"data", "verify", "d"},
      {"data", "pack", "d", "--out", "o"},
      {"bench", "step", "--recipe", "r"}};
  for (std::vector<std::string> arguments : commands) {
    arguments.insert(arguments.end(),
                     {"--set", "a.b=c", "--device", "cpu", "--threads", "2", "--seed", "5",
                      "--resume", "never", "--overwrite", "--dry-run", "--json", "--quiet"});
    const Options options = parse_command_line(arguments).options;
    EXPECT_EQ(options.set, std::vector<std::string>{"a.b=c"});
    EXPECT_EQ(options.device, "cpu");
    EXPECT_EQ(options.threads, 2);
    EXPECT_EQ(options.seed, 5);
    EXPECT_EQ(options.resume, "never");
    EXPECT_TRUE(options.overwrite && options.dry_run && options.json && options.quiet);
  }
}

TEST(CommandLine, RecipesMayBeNamedLikeCommands) {
  const Options options = parse_command_line({"recipe", "check", "demo", "knn"}).options;
  EXPECT_EQ(options.command, "recipe check");
  EXPECT_EQ(options.recipes, (std::vector<std::string>{"demo", "knn"}));
}

TEST(CommandLine, DataMayStandWithOrWithoutItsFlag) {
  EXPECT_EQ(parse_command_line({"data", "verify", "d"}).options.data, "d");
  EXPECT_EQ(parse_command_line({"data", "verify", "--data", "d"}).options.data, "d");
}

TEST(CommandLine, VersionNeedsNoCommand) {
  const Options options = parse_command_line({"--version", "--json"}).options;
  EXPECT_TRUE(options.version && options.json);
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
