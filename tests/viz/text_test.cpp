#include "fcm/viz/text.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace fcm::viz {
namespace {

constexpr double kNotANumber = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinite = std::numeric_limits<double>::infinity();

TEST(Text, EscapesMarkup) {
  EXPECT_EQ(escape("a<b>&\"'c"), "a&lt;b&gt;&amp;&quot;&#39;c");
  EXPECT_EQ(escape("&lt;"), "&amp;lt;");
  EXPECT_EQ(escape("plain \xC3\xBC \xE2\x82\xAC \xF0\x9F\x98\x80\n"),
            "plain \xC3\xBC \xE2\x82\xAC \xF0\x9F\x98\x80\n");
}

TEST(Text, ReplacesWhatIsNotUtf8OrNotAllowed) {
  const std::string mark = "\xEF\xBF\xBD";
  EXPECT_EQ(escape(std::string("a\0b", 3)), "a" + mark + "b");
  EXPECT_EQ(escape("\x1B[0m"), mark + "[0m");
  EXPECT_EQ(escape("\xFF<"), mark + "&lt;");
  EXPECT_EQ(escape("\xC0\x80"), mark + mark);             // overlong
  EXPECT_EQ(escape("\xED\xA0\x80"), mark + mark + mark);  // surrogate
  EXPECT_EQ(escape("\xE2\x82"), mark + mark);             // truncated
}

TEST(Text, Base64FollowsTheRfc) {
  const auto encode = [](std::string_view text) {
    return base64({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  };
  EXPECT_EQ(encode(""), "");
  EXPECT_EQ(encode("f"), "Zg==");
  EXPECT_EQ(encode("fo"), "Zm8=");
  EXPECT_EQ(encode("foo"), "Zm9v");
  EXPECT_EQ(encode("foob"), "Zm9vYg==");
  EXPECT_EQ(encode("fooba"), "Zm9vYmE=");
  EXPECT_EQ(encode("foobar"), "Zm9vYmFy");
  EXPECT_EQ(encode("\xFB\xFF\xBF"), "+/+/");
}

std::vector<uint8_t> decode64(const std::string& text) {
  const std::string letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::vector<uint8_t> out;
  uint32_t bits = 0;
  int count = 0;
  for (const char letter : text) {
    if (letter == '=') break;
    bits = bits << 6 | static_cast<uint32_t>(letters.find(letter));
    count += 6;
    if (count >= 8) out.push_back(static_cast<uint8_t>(bits >> (count -= 8)));
  }
  return out;
}

TEST(Text, Base64KeepsAllBytesAtAllLengths) {
  std::vector<uint8_t> bytes;
  for (int i = 0; i < 300; ++i) {
    const std::string text = base64(bytes);
    EXPECT_EQ(text.size() % 4, 0u);
    EXPECT_EQ(decode64(text), bytes);
    bytes.push_back(static_cast<uint8_t>(i * 37 + 200));
  }
}

TEST(Text, WritesNumbersForPeople) {
  const std::string thin = "\xE2\x80\xAF";
  EXPECT_EQ(format_count(60000), "60" + thin + "000");
  EXPECT_EQ(format_count(-1234567), "-1" + thin + "234" + thin + "567");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(kNotANumber), "–");
  EXPECT_EQ(format_value(0.53124), "0.5312");
  EXPECT_EQ(format_value(1.5e-4), "1.5e-4");
  EXPECT_EQ(format_value(12.0), "12");
  EXPECT_EQ(format_value(-0.0), "0");
  EXPECT_EQ(format_value(kInfinite), "–");
  EXPECT_EQ(format_value(1e300, 3), "1e300");
  EXPECT_EQ(format_short(941), "941");
  EXPECT_EQ(format_short(1243904), "1.24 M");
  EXPECT_EQ(format_short(86e6), "86 M");
  EXPECT_EQ(format_short(999999), "1 M");
  EXPECT_EQ(format_bytes(512), "512 B");
  EXPECT_EQ(format_bytes(431.0 * 1024 * 1024), "431 MiB");
  EXPECT_EQ(format_seconds(0.84), "0.8 s");
  EXPECT_EQ(format_seconds(161), "2 min 41 s");
  EXPECT_EQ(format_seconds(3 * 3600 + 5 * 60), "3 h 05 min");
  EXPECT_EQ(format_seconds(2 * 86400 + 4 * 3600), "2 d 4 h");
  EXPECT_EQ(format_seconds(-1), "–");
}

}  // namespace
}  // namespace fcm::viz
