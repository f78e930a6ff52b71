#include "fcm/base/text.h"

#include <gtest/gtest.h>

#include "fcm/base/error.h"

namespace fcm {
namespace {

TEST(Text, KnowsUtf8) {
  for (const char* text : {"", "plain", "caf\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x90\x88"}) {
    EXPECT_TRUE(is_utf8(text)) << text;
  }
  for (const char* text : {"caf\xe9", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf5\x80\x80\x80"}) {
    EXPECT_FALSE(is_utf8(text)) << text;
  }
}

TEST(Text, EscapesOnlyBytesThatAreNoCharacter) {
  EXPECT_EQ(escape_non_utf8("caf\xe9/\xc3\xa9\n"), "caf\\xe9/\xc3\xa9\n");
  EXPECT_TRUE(is_utf8(escape_non_utf8("\xff\xfe\x80z")));
}

TEST(Text, PrintableHasNothingThatBreaksALineOrATerminal) {
  EXPECT_EQ(printable("a\nb\rc\td"), "a\\nb\\rc\\td");
  EXPECT_EQ(printable("\x1b[31mred\x7f"), "\\x1b[31mred\\x7f");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            "\\u009b31m")
      << "a C1 control character: terminals read it as ESC [";
  EXPECT_EQ(printable("\xe2\x80\xae"
                      "gpj.exe"),
            "\\u202egpj.exe");
  EXPECT_EQ(printable("caf\xc3\xa9 \xe9"), "caf\xc3\xa9 \\xe9");
  EXPECT_EQ(printable("a\nb\x1b", Lines::kMany), "a\nb\\x1b");
  const std::string once = printable("a\nb\x1b\xe9");
  EXPECT_EQ(printable(once), once);
}

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(Text, NamesInErrorsAreMadePrintable) {
  const std::string name = "a\nb", good = "c";
  const std::vector<std::string> both = {name, good};
  EXPECT_EQ(message_of([&] { fail(ExitCode::kData, "{:>6}, {} of {}", name, 1, good); }),
            "  a\\nb, 1 of c");
  EXPECT_EQ(message_of([&] { fail(ExitCode::kData, "{}", fmt::join(both, ", ")); }), "a\\nb, c");
  EXPECT_EQ(message_of([&] { fail(ExitCode::kData, "{}", fmt::join(both, "\n")); }), "a\nb\nc")
      << "newlines in the format string must stay";
  // Format specifiers apply to the elements of fmt::join too.
  const std::vector<int> bytes{1, 255};
  EXPECT_EQ(message_of([&] { fail(ExitCode::kData, "{:02x}", fmt::join(bytes, " ")); }), "01 ff");
  EXPECT_EQ(message_of([&] { fail(ExitCode::kData, "one\ntwo {}", "three\nfour"); }),
            "one\ntwo three\nfour")
      << "string literals must keep their newlines";
}

}  // namespace
}  // namespace fcm
