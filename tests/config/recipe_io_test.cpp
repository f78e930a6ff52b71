#include "fcm/config/recipe_io.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>
#include <cstring>
#include <string>

#include "fcm/base/error.h"
#include "tests/config/example.h"
#include "tests/support/error_of.h"

namespace fcm::config {
namespace {

Example read_example(const std::string& text, const std::vector<std::string>& sets = {}) {
  Example example;
  Reader reader(fields_of(example));
  reader.read(text, "r.toml");
  for (const std::string& assignment : sets) reader.set(assignment);
  reader.finish("r.toml");
  return example;
}

// The message of the usage error that `action` throws; the test fails if it throws none.
template <class Action>
std::string usage_error(Action&& action) {
  const std::string message = test::error_of(ExitCode::kUsage, action);
  EXPECT_NE(message, "");
  return message;
}

std::string with_line(const std::string& old_line, const std::string& new_line) {
  std::string text = kGood;
  const size_t at = text.find(old_line + "\n");
  EXPECT_NE(at, std::string::npos) << old_line;
  return text.replace(at, old_line.size(), new_line);
}

TEST(Reader, FillsEveryKindOfField) {
  const Example example = read_example(kGood);
  EXPECT_EQ(example.masks.ratio, 0.5);
  EXPECT_TRUE(example.masks.views.all());
  EXPECT_TRUE(example.masks.tied);
  EXPECT_EQ(example.net.name, "tiny");
  EXPECT_EQ(example.net.size, "large");
  EXPECT_EQ(example.net.heads, 4);
  EXPECT_EQ(example.net.dims, (std::vector<int64_t>{8, 16, 32}));
  EXPECT_EQ(example.net.mean, (std::vector<double>{0.1, 1.0, 0.002}));
}

TEST(Reader, TakesACountOrAll) {
  EXPECT_EQ(read_example(with_line("views = \"all\"", "views = 3")).masks.views.count, 3);
}

struct Fault {
  const char* name;
  const char* old_line;
  const char* new_line;
  const char* message;
};

class ReaderFaults : public testing::TestWithParam<Fault> {};

TEST_P(ReaderFaults, AreNamedWithFileLineKeyAndValue) {
  const std::string text = with_line(GetParam().old_line, GetParam().new_line);
  EXPECT_EQ(usage_error([&] { read_example(text); }), GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    All, ReaderFaults,
    testing::Values(
        Fault{"UnknownKey", "ratio = 0.5", "rato = 0.5",
              "r.toml:2: unknown key masks.rato; did you mean masks.ratio?"},
        Fault{"UnknownKeyFarFromAll", "tied = true", "tied = true\nlearning = 1",
              "r.toml:5: unknown key masks.learning; [masks] has: ratio, views, tied"},
        Fault{"KeyOfAnotherSection", "tied = true", "tied = true\nheads = 3",
              "r.toml:5: unknown key masks.heads; did you mean net.heads?"},
        Fault{"KeyOutsideSections", "[masks]", "heads = 3\n[masks]",
              "r.toml:1: unknown key heads; did you mean net.heads?"},
        Fault{"UnknownSection", "[net]", "[nett]",
              "r.toml:6: unknown section [nett]; did you mean [net]?"},
        Fault{"UnknownSectionFarFromAll", "[masks]", "[optimiser]\n[masks]",
              "r.toml:1: unknown section [optimiser]; the sections are: masks, net"},
        Fault{"SectionInSection", "tied = true", "tied = true\n[masks.more]\nx = 1",
              "r.toml:5: unknown key masks.more; [masks] has: ratio, views, tied"},
        Fault{"TextForNumber", "ratio = 0.5", "ratio = \"half\"",
              "r.toml:2: masks.ratio = \"half\" must be a number"},
        Fault{"FractionForWhole", "heads = 4", "heads = 4.0",
              "r.toml:9: net.heads = 4.0 must be a whole number"},
        Fault{"NumberForFlag", "tied = true", "tied = 1",
              "r.toml:4: masks.tied = 1 must be true or false"},
        Fault{"NumberForText", "name = \"tiny\"", "name = 7",
              "r.toml:7: net.name = 7 must be a string"},
        Fault{"DateForNumber", "heads = 4", "heads = 2020-01-01",
              "r.toml:9: net.heads = (unsupported TOML type) must be a whole number"},
        Fault{"ListForNumber", "heads = 4", "heads = [4]",
              "r.toml:9: net.heads = [4] must be a whole number"},
        Fault{"NumberForList", "dims = [8, 16, 32]", "dims = 8",
              "r.toml:10: net.dims = 8 must be a list of 3 whole numbers"},
        Fault{"FractionInList", "dims = [8, 16, 32]", "dims = [8, 1.5, 32]",
              "r.toml:10: net.dims = [8, 1.5, 32] must be a list of 3 whole numbers"},
        Fault{"ListInList", "mean = [0.1, 1, 2e-3]", "mean = [[0.1]]",
              "r.toml:11: net.mean = [(unsupported TOML type)] must be a list of numbers"},
        Fault{"OutOfRange", "ratio = 0.5", "ratio = 1.5",
              "r.toml:2: masks.ratio = 1.5 is out of range: 0 to 0.99"},
        Fault{"NotFinite", "mean = [0.1, 1, 2e-3]", "mean = [0.1, inf]",
              "r.toml:11: net.mean = [0.1, inf] has an element (inf) that is not a finite number"},
        Fault{"NotANumber", "ratio = 0.5", "ratio = nan",
              "r.toml:2: masks.ratio = nan is not a finite number"},
        Fault{
            "ElementOutOfRange", "dims = [8, 16, 32]", "dims = [8, 0, 32]",
            "r.toml:10: net.dims = [8, 0, 32] has an element (0) that is out of range: 1 to 1024"},
        Fault{"WrongLength", "dims = [8, 16, 32]", "dims = [8, 16]",
              "r.toml:10: net.dims = [8, 16] has 2 elements, not 3"},
        Fault{"EmptyList", "mean = [0.1, 1, 2e-3]", "mean = []",
              "r.toml:11: net.mean = [] is an empty list"},
        Fault{"NotOneOf", "size = \"large\"", "size = \"giant\"",
              "r.toml:8: net.size = \"giant\" is not one of: base, large"},
        Fault{"ZeroIsNotAll", "views = \"all\"", "views = 0",
              "r.toml:3: masks.views = 0 is out of range: 1 to 16"},
        Fault{"MinusOneViews", "views = \"all\"", "views = -1",
              "r.toml:3: masks.views = -1 is out of range: 1 to 16"},
        Fault{"WordThatIsNotAll", "views = \"all\"", "views = \"most\"",
              "r.toml:3: masks.views = \"most\" must be a whole number or \"all\""},
        Fault{"Missing", "heads = 4", "",
              "r.toml: net.heads is missing; a recipe names every key, so add \"heads = 12\" (the "
              "default) to [net]"},
        Fault{"SeveralAtOnce", "ratio = 0.5", "ratio = 2\nviews2 = 1",
              "r.toml:2: masks.ratio = 2 is out of range: 0 to 0.99\n"
              "r.toml:3: unknown key masks.views2; did you mean masks.views?"}),
    [](const auto& test) { return std::string(test.param.name); });

// toml++ writes most of these messages. So the test checks only their positions and, for a repeated
// key, also the key and this program's hint.
TEST(Reader, RefusesRepeatedKeysAndBadSyntax) {
  const std::string twice =
      usage_error([] { read_example(with_line("ratio = 0.5", "ratio = 0.5\nratio = 0.6")); });
  EXPECT_TRUE(twice.starts_with("r.toml:3: ")) << twice;
  EXPECT_NE(twice.find("ratio"), std::string::npos) << twice;
  EXPECT_NE(twice.find("given only once"), std::string::npos) << twice;
  const std::string section = usage_error([] { read_example(std::string(kGood) + "[masks]\n"); });
  EXPECT_TRUE(section.starts_with("r.toml:12: ")) << section;
  const std::string syntax = usage_error([] { read_example(with_line("heads = 4", "heads 4")); });
  EXPECT_TRUE(syntax.starts_with("r.toml:9: ")) << syntax;
}

TEST(Reader, SurvivesTextThatIsNoRecipe) {
  for (const std::string& text :
       {std::string("\0\x01\xff", 3), std::string(5000, '['), std::string("\xff\xfe"),
        "a = " + std::string(100000, '['), std::string("[[["), std::string("masks = 3\n[masks]\n"),
        std::string("[masks]\nr\xc3\xa9 = 1\n")}) {
    EXPECT_NE(usage_error([&] { read_example(text); }), "");
  }
}

// Non-ASCII characters outside of comments and one-line strings are refused, because toml++ does
// not handle them correctly.
TEST(Reader, TakesNonAsciiOnlyInCommentsAndOneLineTexts) {
  const std::string umlaut = "\xc3\xbc";
  const std::string good = "# " + umlaut + " \"'\nname = \"\\\"" + umlaut + "\" # \"" + umlaut;
  EXPECT_EQ(read_example(with_line("name = \"tiny\"", good)).net.name, "\"" + umlaut);
  EXPECT_EQ(read_example(with_line("name = \"tiny\"", "name = \"\"\" tiny\"\"\"\"")).net.name,
            " tiny\"");
  for (const std::string& line :
       {"heads = 4" + umlaut, umlaut + " = 3", "heads = 4\"" + umlaut + "\"",
        "name = \"\"\"" + umlaut + "\"\"\"", "heads = 4 \"\"" + umlaut}) {
    EXPECT_EQ(usage_error([&] { read_example(with_line("heads = 4", line)); }),
              "r.toml:9: non-ASCII character outside comments and one-line strings")
        << line;
  }
}

// A mutated text is either read or refused with a usage error.
TEST(Reader, SurvivesMutations) {
  const bool held = rc::check([] {
    std::string text = kGood;
    const int edits = *rc::gen::inRange(1, 8);
    for (int i = 0; i < edits; ++i) {
      const size_t at = *rc::gen::inRange<size_t>(0, text.size());
      const std::string piece = *rc::gen::element<std::string>(
          "[", "]", "[[", ".", "=", "\"", "'", "\"\"\"", "'''", "\n", "#", "{", "}", "\\u", "\r",
          "0x", "1e", "\xff", "\xe2\x80\xa8", "\xc3\xa9", std::string(1, '\0'));
      text.replace(at, *rc::gen::inRange<size_t>(0, 4), piece);
    }
    try {
      read_example(text);
    } catch (const Error& error) {
      RC_ASSERT(error.code() == ExitCode::kUsage);
    }
  });
  EXPECT_TRUE(held);
}

TEST(Set, ReplacesValuesAndSuppliesMissingOnes) {
  const Example example =
      read_example(with_line("heads = 4", ""),
                   {"net.heads=6", "masks.views=all", "net.size=base", "net.name=two words",
                    "net.dims=[3, 4,5]", " masks.ratio = 1e-2 ", "masks.tied=false"});
  EXPECT_EQ(example.net.heads, 6);
  EXPECT_TRUE(example.masks.views.all());
  EXPECT_EQ(example.net.size, "base");
  EXPECT_EQ(example.net.name, "two words");
  EXPECT_EQ(example.net.dims, (std::vector<int64_t>{3, 4, 5}));
  EXPECT_EQ(example.masks.ratio, 0.01);
  EXPECT_FALSE(example.masks.tied);
}

TEST(Set, KeepsTextsThatLookLikeSomethingElse) {
  EXPECT_EQ(read_example(kGood, {"net.name=7"}).net.name, "7");
  EXPECT_EQ(read_example(kGood, {"net.name=true"}).net.name, "true");
  EXPECT_EQ(read_example(kGood, {"net.name=\"quoted = #\""}).net.name, "quoted = #");
  EXPECT_EQ(read_example(kGood, {"net.name="}).net.name, "");
}

TEST(Set, TheLastOneWins) {
  EXPECT_EQ(read_example(kGood, {"net.heads=6", "net.heads=7"}).net.heads, 7);
}

TEST(Set, NamesWhatIsWrong) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"net.heads", "--set net.heads: write section.key=value, as in --set optim.epochs=10"},
      {"=3", "--set =3: write section.key=value, as in --set optim.epochs=10"},
      {"heads=3", "--set heads=3: unknown key heads; did you mean net.heads?"},
      {"net.haeds=3", "--set net.haeds=3: unknown key net.haeds; did you mean net.heads?"},
      {"mask.ratio=1", "--set mask.ratio=1: unknown section [mask]; did you mean [masks]?"},
      {"net.heads=many", "--set net.heads=many: net.heads = \"many\" must be a whole number"},
      {"net.heads=0", "--set net.heads=0: net.heads = 0 is out of range: 1 to 256"},
      {"net.heads=", "--set net.heads=: net.heads = \"\" must be a whole number"},
      {"net.heads=1\nratio=2",
       "--set net.heads=1\\nratio=2: net.heads = \"1\\nratio=2\" must be a whole number"},
      {"net.name=\xff", "--set net.name: the value is not UTF-8 text"}};
  for (const auto& [assignment, message] : cases) {
    EXPECT_EQ(usage_error([&] { read_example(kGood, {assignment}); }), message);
  }
}

TEST(Print, IsTheTextThatReadsBack) {
  EXPECT_EQ(
      [] {
        Example example = read_example(kGood);
        return print(fields_of(example), false);
      }(),
      "[masks]\nratio = 0.5\nviews = \"all\"\ntied = true\n\n[net]\nname = \"tiny\"\n"
      "size = \"large\"\nheads = 4\ndims = [8, 16, 32]\nmean = [0.1, 1, 0.002]\n");
}

TEST(Print, CommentsDoNotChangeWhatIsRead) {
  Example example = read_example(kGood);
  const std::string plain = print(fields_of(example), false);
  const std::string commented = print(fields_of(example), true);
  EXPECT_NE(commented.find("# share hidden (0 to 0.99)\nratio = 0.5\n"), std::string::npos);
  Example again = read_example(commented);
  EXPECT_EQ(print(fields_of(again), false), plain);
}

rc::Gen<std::string> texts() {
  // Texts of letters, of every character that TOML escapes, and of two multi-byte characters.
  return rc::gen::map(
      rc::gen::container<std::vector<std::string>>(rc::gen::element<std::string>(
          "a", "Z", " ", "\"", "\\", "\n", "\t", "\r", "#", "=", "'", std::string(1, '\x01'),
          std::string(1, '\x7f'), "\xc3\xa9", "\xe2\x82\xac")),
      [](const std::vector<std::string>& parts) {
        std::string text;
        for (const std::string& part : parts) text += part;
        return text;
      });
}

rc::Gen<double> finite_numbers() {
  return rc::gen::suchThat(
      rc::gen::oneOf(rc::gen::arbitrary<double>(),
                     rc::gen::element(-0.0, 1e-300, 1e300, 0.1, 5e-324),
                     rc::gen::map(rc::gen::arbitrary<uint64_t>(),
                                  [](uint64_t bits) {
                                    double number;
                                    static_assert(sizeof number == sizeof bits);
                                    std::memcpy(&number, &bits, sizeof bits);
                                    return number;
                                  })),
      [](double number) { return std::isfinite(number); });
}

TEST(Print, RoundTripIsAFixedPoint) {
  const bool held = rc::check([] {
    Example example;
    example.masks.ratio = *rc::gen::map(rc::gen::inRange(0, 9901), [](int n) { return n / 1e4; });
    example.masks.views.count = *rc::gen::inRange<int64_t>(0, 17);
    example.masks.tied = *rc::gen::arbitrary<bool>();
    example.net.name = *texts();
    example.net.size = *rc::gen::element<std::string>("base", "large");
    example.net.heads = *rc::gen::inRange<int64_t>(1, 257);
    example.net.dims =
        *rc::gen::container<std::vector<int64_t>>(3, rc::gen::inRange<int64_t>(1, 1025));
    example.net.mean =
        *rc::gen::nonEmpty(rc::gen::container<std::vector<double>>(finite_numbers()));
    const std::string first = print(fields_of(example), *rc::gen::arbitrary<bool>());
    Example again = read_example(first);
    const std::string second = print(fields_of(again), false);
    RC_ASSERT(second == print(fields_of(example), false));
    RC_ASSERT(again.net.name == example.net.name);
    RC_ASSERT(again.net.mean == example.net.mean);
    RC_ASSERT(hash(fields_of(again)) == hash(fields_of(example)));
  });
  EXPECT_TRUE(held);
}

TEST(Hash, IsStableAndSeesEveryField) {
  Example example = read_example(kGood);
  // The hash must not change: older runs store hashes of their recipes.
  EXPECT_EQ(hash(fields_of(example)), "1f4dc795e5f23346");
  for (const char* assignment :
       {"masks.ratio=0.25", "masks.views=2", "masks.tied=false", "net.name=x", "net.size=base",
        "net.heads=5", "net.dims=[8,16,33]", "net.mean=[0.1,1,0.0020000000000000005]"}) {
    Example other = read_example(kGood, {assignment});
    EXPECT_NE(hash(fields_of(other)), hash(fields_of(example))) << assignment;
  }
}

TEST(KeyTable, HasEveryKeyOnce) {
  Example example;
  const std::string table = key_table(fields_of(example));
  EXPECT_NE(table.find("| `masks.ratio` | `0.75` | a number | 0 to 0.99 | share hidden |\n"),
            std::string::npos)
      << table;
  for (const Field& field : fields_of(example)) {
    const size_t at = table.find("`" + field.name() + "`");
    ASSERT_NE(at, std::string::npos);
    EXPECT_EQ(table.find("`" + field.name() + "`", at + 1), std::string::npos);
  }
}

TEST(CheckValues, SeesWhatNoTextSaid) {
  Example example;
  check_values(fields_of(example));
  example.masks.ratio = 7;
  example.net.dims = {1};
  EXPECT_EQ(usage_error([&] { check_values(fields_of(example)); }),
            "masks.ratio = 7 is out of range: 0 to 0.99\nnet.dims = [1] has 1 element, not 3");
}

}  // namespace
}  // namespace fcm::config
