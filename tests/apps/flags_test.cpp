// Flags: the variables that they set, the values that they refuse, and the messages.
#include "apps/flags.h"

#include <gtest/gtest.h>

#include "fcm/base/error.h"

namespace fcm::apps {
namespace {

using Arguments = std::vector<std::string>;

// A command with one flag of each kind.
struct Sample {
  std::string text, choice = "jpeg";
  std::filesystem::path path;
  int64_t number = 20;
  std::optional<int64_t> maybe;
  double real = 0.5;
  bool on = false, off = true;
  Arguments words, each;
  Flags flags{"sample"};
  Flag text_flag = flags.add("text,--text", text, "TEXT", "a");
  Flag maybe_flag = flags.add("--maybe", maybe, {1, 9}, "b");

  Sample() {
    flags.describe("Does nothing");
    flags.add_choice("--choice", choice, {"jpeg", "raw"}, "c");
    flags.add("--path", path, "FILE", "d");
    flags.add("--number", number, {1, 100}, "e");
    flags.add("--real", real, {0.1, 10}, "f");
    flags.add("--on", on, "g").excludes(maybe_flag);
    flags.add_negative("--no-off", off, "h");
    flags.add_words("--words", words, "FILE", "i");
    flags.add_repeated("--each", each, "PATTERN", "j");
    flags.add_those_of_every_command();
  }

  std::string fault(const Arguments& arguments) {
    try {
      flags.parse(arguments);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kUsage);
      return error.what();
    }
    return "none";
  }
};

TEST(Flags, FillWhatTheyAreBoundTo) {
  Sample sample;
  const Arguments left = sample.flags.parse({"t", "--choice=raw", "--path", "p", "--number", "7",
                                             "--maybe", "3", "--real", "1e0", "--no-off", "--each",
                                             "x", "--words", "a", "b", "--each", "y", "--quiet"});
  EXPECT_EQ(left, Arguments{});
  EXPECT_EQ(sample.text, "t");
  EXPECT_EQ(sample.choice, "raw");
  EXPECT_EQ(sample.path, "p");
  EXPECT_EQ(sample.number, 7);
  EXPECT_EQ(sample.maybe, 3);
  EXPECT_EQ(sample.real, 1);
  EXPECT_FALSE(sample.on);
  EXPECT_FALSE(sample.off);
  EXPECT_EQ(sample.words, (Arguments{"a", "b"}));
  EXPECT_EQ(sample.each, (Arguments{"x", "y"}));
  EXPECT_TRUE(sample.flags.quiet());
  EXPECT_FALSE(sample.flags.json());
  EXPECT_TRUE(sample.text_flag.given());
}

TEST(Flags, LeaveDefaultsAlone) {
  Sample sample;
  EXPECT_EQ(sample.flags.parse({}), Arguments{});
  EXPECT_EQ(sample.choice, "jpeg");
  EXPECT_EQ(sample.number, 20);
  EXPECT_FALSE(sample.maybe);
  EXPECT_TRUE(sample.off);
  EXPECT_FALSE(sample.maybe_flag.given());
}

TEST(Flags, ShowDefaultsAndKindsInTheHelp) {
  const Sample sample;
  const std::string help = sample.flags.help();
  for (const char* part : {"Does nothing\nUsage: fastconvmae sample [OPTIONS] [text]",
                           "--number N=20", "--choice jpeg|raw=jpeg", "--maybe N ",
                           "--each PATTERN ...", "--path FILE ", "--version"}) {
    EXPECT_NE(help.find(part), std::string::npos) << part << "\n" << help;
  }
}

TEST(Flags, SayWhatIsWrong) {
  const std::string see = "; see fastconvmae sample --help";
  EXPECT_EQ(Sample().fault({"--number", "many"}),
            "--number: \"many\" is not a whole number from 1 to 100" + see);
  EXPECT_EQ(Sample().fault({"--number", "7.5"}),
            "--number: \"7.5\" is not a whole number from 1 to 100" + see);
  EXPECT_EQ(Sample().fault({"--number", "101"}),
            "--number: \"101\" is not a whole number from 1 to 100" + see);
  EXPECT_EQ(Sample().fault({"--maybe", "-1"}),
            "--maybe: \"-1\" is not a whole number from 1 to 9" + see);
  EXPECT_EQ(Sample().fault({"--real", "nan"}),
            "--real: \"nan\" is not a number from 0.1 to 10" + see);
  EXPECT_EQ(Sample().fault({"--choice", "png"}), "--choice: \"png\" is not one of jpeg, raw" + see);
  EXPECT_EQ(Sample().fault({"--number"}), "--number: its value is missing" + see);
  EXPECT_EQ(Sample().fault({"--number", "1", "--number", "2"}),
            "--number is given 2 times; give it once" + see);
  EXPECT_EQ(Sample().fault({"--on", "--maybe", "1"}), "--maybe and --on exclude each other" + see);
  Sample needs;
  needs.text_flag.required();
  EXPECT_EQ(needs.fault({}), "--text is required" + see);
}

// A mistyped flag also looks like a missing required flag, and its value like an argument. Unknown
// words are therefore returned before any of these errors is reported.
TEST(Flags, HandBackWhatTheyDoNotKnowBeforeAnyFault) {
  Sample sample;
  sample.text_flag.required();
  EXPECT_EQ(sample.flags.parse({"--txet", "--number", "many"}), Arguments{"--txet"});
  EXPECT_EQ(Sample().flags.parse({"a", "b", "c"}), (Arguments{"b", "c"}));
}

TEST(Flags, GiveHelpWhateverElseIsWrong) {
  Sample sample;
  sample.text_flag.required();
  EXPECT_EQ(sample.flags.parse({"--number", "many", "-h"}), Arguments{});
  EXPECT_TRUE(sample.flags.wants_help());
}

TEST(Flags, AreRefusedWhereTheyHaveNoUse) {
  Sample sample;
  sample.flags.parse({"--maybe", "3"});
  EXPECT_NO_THROW(refuse({sample.text_flag}, "has no use here"));
  try {
    refuse({sample.text_flag, sample.maybe_flag}, "has no use here");
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "--maybe has no use here");
  }
}

}  // namespace
}  // namespace fcm::apps
