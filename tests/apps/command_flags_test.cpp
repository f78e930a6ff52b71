// Each command is called with each flag of all commands, and must either use or refuse the flag.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>

#include "apps/command_line.h"
#include "tests/apps/program.h"

namespace fcm::apps {
namespace {

// The flags that each command uses, listed by hand from the code that runs the command.
const std::map<std::string, std::string> kUsed = {
    {"demo", "--out --images --full --set --seed --overwrite --device --threads --no-cuda-graph"},
    {"pretrain",
     "--recipe --data --out --teacher --set --seed --resume --overwrite --dry-run --device "
     "--threads --no-cuda-graph"},
    {"finetune",
     "--recipe --data --out --checkpoint --allow-missing --from-scratch --set --seed --resume "
     "--overwrite --dry-run --device --threads"},
    {"eval", "--data --checkpoint --set --batch --out --latency --device --threads"},
    {"linprobe",
     "--recipe --fast --data --checkpoint --allow-missing --out --set --seed --resume --overwrite "
     "--dry-run --device --threads"},
    {"features",
     "--data --checkpoint --set --allow-missing --out --tokens --split --overwrite --device "
     "--threads"},
    {"knn", "--data --checkpoint --set --allow-missing --k --device --threads"},
    {"visualize",
     "--what --checkpoint --set --allow-missing --images --out --seed --teacher --patch --data --k "
     "--overwrite --device --threads"},
    {"predict", "--checkpoint --set --images --out --overwrite --device --threads"},
    {"report", "runs --out --overwrite"},
    {"launch", "--processes"},
    {"completion", "shell"},
    {"recipe list", ""},
    {"recipe show", "recipe --set --seed"},
    {"recipe check", "recipes --set --seed"},
    {"recipe keys", ""},
    {"data verify", "--data --threads"},
    {"data pack", "--data --out --side --format --quality --overwrite --threads"},
    {"checkpoint show", "--checkpoint --threads"},
    {"checkpoint convert", "--checkpoint --out --to --what --size --set --overwrite --threads"},
    {"checkpoint verify", "--checkpoint --threads"},
    {"checkpoint diff", "--checkpoint --other --threads"},
    {"bench step",
     "--recipe --batch --precision --implementation --steps --profile --timeline --set --device "
     "--threads --no-cuda-graph"},
    {"bench loader", "--data --recipe --seconds --threads"},
    {"bench predict",
     "--recipe --rows --cols --precision --implementation --rounds --set --device --threads"},
    {"bench tune", "--recipe --data --seconds --set --device --threads"},
    {"bench peak", "--threads"},
    {"bench ops", "--filter --device --threads"},
    {"bench knn", "--bank --queries --width --k --threads"},
    {"bench checkpoint", "--bytes --out"}};
const std::string kUsedByAll = "--help --json --quiet --version";

std::set<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), {}};
}

std::vector<FlagFacts> facts_of(const Command& command) { return declared(command).flags->facts(); }

// All flags of all commands, by name; positional arguments are left out.
std::map<std::string, FlagFacts> all_flags() {
  std::map<std::string, FlagFacts> flags;
  for (const Command& command : all_commands()) {
    for (const FlagFacts& facts : facts_of(command)) {
      if (facts.names.front().starts_with("--")) flags.emplace(facts.names.front(), facts);
    }
  }
  return flags;
}

// A value that the flag accepts, other than its default.
std::string other_value(const FlagFacts& facts, const std::string& folder) {
  const std::map<std::string, std::string> by_kind = {{"N", "1"},
                                                      {"DATA", "synthetic"},
                                                      {"NAME|FILE", "smoke_pretrain"},
                                                      {"NAME", "cpu"},
                                                      {"SECTION.KEY=VALUE", "run.seed=1"},
                                                      {"clip|dino=FILE", "clip=x"},
                                                      {"ROW,COL", "1,2"},
                                                      {"DIR", folder + "/d"},
                                                      {"FILE", folder + "/f.npy"},
                                                      {"PATH", folder + "/p"}};
  const auto found = by_kind.find(facts.kind);
  if (found != by_kind.end()) return found->second;
  std::istringstream choices(facts.kind);
  std::string choice;
  while (std::getline(choices, choice, '|') && choice == facts.value) {
  }
  return choice;
}

std::vector<std::string> split(const std::string& text) {
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), {}};
}

// The command line of a command with all its required flags and arguments except `without`.
std::string with_required(const Command& command, const std::string& folder,
                          const std::string& without = "") {
  std::string line = command.name;
  for (const FlagFacts& facts : facts_of(command)) {
    const std::string& name = facts.names.front();
    if (!facts.required || name == without) continue;
    if (name.starts_with("--")) line += " " + name;
    line += " " + other_value(facts, folder);
  }
  return line;
}

TEST(CommandFlags, AreThoseThatTheCommandUses) {
  std::set<std::string> names;
  for (const Command& command : all_commands()) {
    names.insert(command.name);
    std::set<std::string> found;
    for (const FlagFacts& facts : facts_of(command)) found.insert(facts.names.front());
    ASSERT_TRUE(kUsed.contains(command.name)) << command.name << ": list its flags in kUsed";
    EXPECT_EQ(found, words_of(kUsed.at(command.name) + " " + kUsedByAll)) << command.name;
  }
  EXPECT_EQ(names.size(), kUsed.size()) << "kUsed lists a command that does not exist";
}

TEST(CommandFlags, ThoseOfACommandAreInItsHelpAndBound) {
  const Scratch scratch;
  const std::string folder = (scratch / "").string();
  for (const Command& command : all_commands()) {
    const std::string help = run_here(command.name + " --help").out;
    for (const FlagFacts& before : facts_of(command)) {
      const std::string& name = before.names.front();
      EXPECT_NE(help.find(name), std::string::npos) << command.name << " " << name;
      if (before.of_every_command) continue;
      std::string line = with_required(command, folder, name);
      if (name.starts_with("--")) line += " " + name;
      if (before.takes_value) line += " " + other_value(before, folder);
      const CommandLine parsed = parse_command_line(split(line));
      EXPECT_TRUE(parsed.action) << line;
      for (const FlagFacts& after : parsed.flags->facts()) {
        if (after.names.front() != name) continue;
        EXPECT_NE(after.value, before.value) << line;
      }
    }
  }
}

// The data and the recipe exist. A command that needs no checkpoint would therefore start to work
// if it did not refuse the flag.
TEST(CommandFlags, OthersAreRefusedBeforeAnythingHappens) {
  const Scratch scratch;
  const std::string folder = (scratch / "").string();
  int refused = 0;
  for (const Command& command : all_commands()) {
    std::set<std::string> own;
    for (const FlagFacts& facts : facts_of(command)) own.insert(facts.names.front());
    for (const auto& [name, facts] : all_flags()) {
      if (own.contains(name)) continue;
      std::string line = with_required(command, folder) + " " + name;
      if (facts.takes_value) line += " " + other_value(facts, folder);
      const Outcome outcome = run_here(line);
      EXPECT_EQ(outcome.status, 2) << line;
      EXPECT_EQ(outcome.out, "") << line;
      EXPECT_TRUE(
          outcome.err.starts_with("error: " + command.name + " does not use " + name + "; "))
          << line << ": " << outcome.err;
      ++refused;
    }
  }
  EXPECT_GT(refused, 500);
  EXPECT_TRUE(std::filesystem::is_empty(folder));
}

// Flags may stand before the command. There the flag's name alone tells whether a value follows.
TEST(CommandFlags, TakeAValueInAllCommandsOrInNone) {
  const auto flags = all_flags();
  for (const Command& command : all_commands()) {
    for (const FlagFacts& facts : facts_of(command)) {
      const auto found = flags.find(facts.names.front());
      if (found == flags.end()) continue;
      EXPECT_EQ(facts.takes_value, found->second.takes_value)
          << command.name << " " << found->first;
    }
  }
}

// Chapter 12 has one line per command with all its flags, in the order of the help text.
TEST(CommandFlags, AreListedInChapterTwelve) {
  const std::string chapter =
      content_of(FCM_SOURCE_DIR "/docs/tour/12-recipes-and-command-line.md");
  for (const Command& command : all_commands()) {
    std::string line = fmt::format("\n    {:<19}", command.name);
    for (const FlagFacts& facts : facts_of(command)) {
      if (!facts.of_every_command) line += " " + facts.names.front();
    }
    while (line.ends_with(' ')) line.pop_back();
    EXPECT_NE(chapter.find(line + "\n"), std::string::npos) << "missing:" << line;
  }
}

// A script passes an empty path if a variable in it is not set.
TEST(CommandFlags, AnEmptyPathIsOneSentence) {
  int outs = 0;
  for (const Command& command : all_commands()) {
    for (const FlagFacts& flag : declared(command).flags->facts()) {
      const bool is_out = std::ranges::find(flag.names, "--out") != flag.names.end();
      const bool is_checkpoint = std::ranges::find(flag.names, "--checkpoint") != flag.names.end();
      if (!is_out && !is_checkpoint) continue;
      outs += is_out ? 1 : 0;
      std::istringstream name(command.name);
      std::vector<std::string> words{std::istream_iterator<std::string>(name), {}};
      words.insert(words.end(), {is_out ? "--out" : "--checkpoint", ""});
      testing::internal::CaptureStderr();
      const int status = run_program(words);
      const std::string said = testing::internal::GetCapturedStderr();
      EXPECT_EQ(status, 2) << command.name;
      EXPECT_NE(said.find(": the path is empty"), said.npos) << command.name << ": " << said;
      EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
    }
  }
  EXPECT_GT(outs, 8);
}

}  // namespace
}  // namespace fcm::apps
