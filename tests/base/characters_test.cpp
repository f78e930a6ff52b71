#include "fcm/base/characters.h"

#include <gtest/gtest.h>

#include <string>

namespace fcm {
namespace {

TEST(Characters, AreOfTextAndBytesThatBelongToNoneAreReplaced) {
  const std::string text = "a\u00e9\xc3\u6f22\xf0\x9f\U0001f600";
  std::u32string points;
  std::string joined;
  for (const Character& one : characters(text)) {
    points += one.point;
    joined += one.bytes;
  }
  EXPECT_EQ(points, U"a\u00e9\ufffd\u6f22\ufffd\ufffd\U0001f600");
  EXPECT_EQ(joined, text);
  EXPECT_TRUE(characters("").empty());
}

TEST(Characters, OneIsTakenOffTheFrontOrNone) {
  std::string_view text = "\u00e9z\x80";
  EXPECT_EQ(take_character(text), U'\u00e9');
  EXPECT_EQ(take_character(text), U'z');
  EXPECT_EQ(take_character(text), std::nullopt);
  EXPECT_EQ(text, "\x80");
}

}  // namespace
}  // namespace fcm
