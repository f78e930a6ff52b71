// Tests reading BMP files that the tests write byte by byte.
#include "fcm/base/random.h"
#include "fcm/image/image.h"
#include "tests/image/support.h"

namespace fcm::image {
namespace {

using test::data_error;
using BmpBytes = std::vector<uint8_t>;

void put_little(BmpBytes& bytes, uint64_t value, int size) {
  for (int i = 0; i < size; ++i) bytes.push_back(static_cast<uint8_t>(value >> 8 * i));
}

struct BmpForm {
  int64_t cols = 0, rows = 0;  // negative rows: stored top-down
  uint32_t bits = 24, coding = 0, colours = 0;
  BmpBytes palette{};  // palette or bit masks, as stored in the file
  uint32_t header = 40;
};

BmpBytes bmp(const BmpForm& form, const BmpBytes& pixels) {
  BmpBytes bytes{'B', 'M'};
  const auto begin = static_cast<uint32_t>(14 + form.header + form.palette.size());
  put_little(bytes, begin + pixels.size(), 4);
  put_little(bytes, 0, 4);
  put_little(bytes, begin, 4);
  put_little(bytes, form.header, 4);
  const int side = form.header == 12 ? 2 : 4;
  put_little(bytes, static_cast<uint64_t>(form.cols), side);
  put_little(bytes, static_cast<uint64_t>(form.rows), side);
  put_little(bytes, 1, 2);
  put_little(bytes, form.bits, 2);
  if (form.header > 12) {
    put_little(bytes, form.coding, 4);
    for (const uint32_t value : {0U, 0U, 0U, form.colours, 0U}) put_little(bytes, value, 4);
  }
  bytes.resize(14 + form.header);
  bytes.insert(bytes.end(), form.palette.begin(), form.palette.end());
  bytes.insert(bytes.end(), pixels.begin(), pixels.end());
  return bytes;
}

// 2 x 2 pixels, upper row first: red, green; blue, white.
const BmpBytes kFour{255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255};
// The same pixels as BGR, last row first, rows padded to 8 bytes.
const BmpBytes kRows24{255, 0, 0, 255, 255, 255, 0, 0, 0, 0, 255, 0, 255, 0, 0, 0};
// Four bytes per colour (B, G, R, unused): black, red, green, blue, white.
const BmpBytes kPalette{0, 0, 0, 0, 0, 0, 255, 0, 0, 255, 0, 0, 255, 0, 0, 0, 255, 255, 255, 0};

TEST(Bmp, TwentyFourBitsInBothDirections) {
  const Image image = decode(bmp({2, 2}, kRows24), 3);
  EXPECT_EQ(image.rows, 2);
  EXPECT_EQ(image.cols, 2);
  EXPECT_EQ(image.pixels, kFour);
  const BmpBytes from_top{0, 0, 255, 0, 255, 0, 0, 0, 255, 0, 0, 255, 255, 255, 0, 0};
  EXPECT_EQ(decode(bmp({2, -2}, from_top), 3).pixels, kFour);
  EXPECT_EQ(decode(bmp({2, 2, 24, 0, 0, {}, 124}, kRows24), 3).pixels, kFour);
  EXPECT_EQ(decode(bmp({2, 2, 24, 0, 0, {}, 12}, kRows24), 3).pixels, kFour);  // the OS/2 header
}

TEST(Bmp, TheLastRowMayLackItsPadding) {
  const BmpBytes short_of(kRows24.begin(), kRows24.end() - 2);
  EXPECT_EQ(decode(bmp({2, 2}, short_of), 3).pixels, kFour);
  const BmpBytes shorter(kRows24.begin(), kRows24.end() - 3);
  EXPECT_NE(data_error([&] {
              decode(bmp({2, 2}, shorter), 3);
            }).find("premature end"),
            std::string::npos);
}

TEST(Bmp, Palettes) {
  const BmpBytes eight{3, 4, 0, 0, 1, 2, 0, 0};
  EXPECT_EQ(decode(bmp({2, 2, 8, 0, 5, kPalette}, eight), 3).pixels, kFour);
  const BmpBytes four{0x34, 0, 0, 0, 0x12, 0, 0, 0};
  EXPECT_EQ(decode(bmp({2, 2, 4, 0, 5, kPalette}, four), 3).pixels, kFour);
  const BmpBytes one{0x40, 0, 0, 0};  // the bits 0 and 1: black, red
  EXPECT_EQ(
      decode(bmp({2, 1, 1, 0, 2, BmpBytes(kPalette.begin(), kPalette.begin() + 8)}, one), 3).pixels,
      (BmpBytes{0, 0, 0, 255, 0, 0}));
  EXPECT_EQ(decode(bmp({1, 1, 8, 0, 5, kPalette}, {200, 0, 0, 0}), 3).pixels, (BmpBytes{0, 0, 0}));
}

TEST(Bmp, ThirtyTwoBitsWithAndWithoutMasks) {
  const BmpBytes pixels{30, 20, 10, 99};
  EXPECT_EQ(decode(bmp({1, 1, 32}, pixels), 3).pixels, (BmpBytes{10, 20, 30}));
  BmpBytes masks;
  for (const uint32_t mask : {0xFFU, 0xFF00U, 0xFF0000U}) put_little(masks, mask, 4);
  EXPECT_EQ(decode(bmp({1, 1, 32, 3, 0, masks}, pixels), 3).pixels, (BmpBytes{30, 20, 10}));
  masks[1] = 1;
  masks[0] = 0x0F;  // a mask with a gap
  EXPECT_NE(data_error([&] {
              decode(bmp({1, 1, 32, 3, 0, masks}, pixels), 3);
            }).find("are not contiguous"),
            std::string::npos);
}

// As in Pillow, 5-bit values are multiplied by 255 / 31 and 6-bit values by 255 / 63, and the
// results are truncated.
TEST(Bmp, SixteenBits) {
  BmpBytes pixel;
  put_little(pixel, 21 << 10 | 10 << 5 | 31, 2);
  put_little(pixel, 0, 2);
  EXPECT_EQ(decode(bmp({1, 1, 16}, pixel), 3).pixels, (BmpBytes{172, 82, 255}));
  BmpBytes masks, other;
  for (const uint32_t mask : {0xF800U, 0x7E0U, 0x1FU}) put_little(masks, mask, 4);
  put_little(other, 21 << 11 | 20 << 5 | 31, 2);
  put_little(other, 0, 2);
  EXPECT_EQ(decode(bmp({1, 1, 16, 3, 0, masks}, other), 3).pixels, (BmpBytes{172, 80, 255}));
}

TEST(Bmp, RunsOfEightBits) {
  // Runs of one pixel: blue, white; end of row; red, green; end of bitmap.
  const BmpBytes runs{1, 3, 1, 4, 0, 0, 1, 1, 1, 2, 0, 1};
  EXPECT_EQ(decode(bmp({2, 2, 8, 1, 5, kPalette}, runs), 3).pixels, kFour);
  // Three literal pixels with padding; a jump by one column; a run that extends beyond the row.
  const BmpBytes literal{0, 3, 1, 2, 3, 0, 0, 2, 1, 0, 9, 4, 0, 1};
  EXPECT_EQ(decode(bmp({5, 1, 8, 1, 5, kPalette}, literal), 3).pixels,
            (BmpBytes{255, 0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255}));
  EXPECT_NE(data_error([&] {
              decode(bmp({5, 1, 8, 1, 5, kPalette}, {0, 3, 1}), 3);
            }).find("premature end"),
            std::string::npos);
}

TEST(Bmp, RunsOfFourBits) {
  const BmpBytes runs{2, 0x34, 0, 0, 2, 0x12, 0, 1};
  EXPECT_EQ(decode(bmp({2, 2, 4, 2, 5, kPalette}, runs), 3).pixels, kFour);
  const BmpBytes literal{0, 3, 0x12, 0x30, 0, 1};
  EXPECT_EQ(decode(bmp({3, 1, 4, 2, 5, kPalette}, literal), 3).pixels,
            (BmpBytes{255, 0, 0, 0, 255, 0, 0, 0, 255}));
}

TEST(Bmp, WhatIsOddOrHostileIsRefused) {
  const std::vector<std::pair<BmpBytes, std::string>> cases{
      {bmp({100000, 100000, 1, 1}, {}), "compression 1"},
      {bmp({100000, 100000, 24}, {}), "100000x100000"},
      {bmp({0x7FFFFFFF, -0x7FFFFFFF, 24}, {}), "2147483647x2147483647"},
      {bmp({-5, 5, 24}, {}), "no pixels"},
      {bmp({5, 0, 24}, {}), "no pixels"},
      {bmp({5, 5, 13}, {}), "13 bits"},
      {bmp({5, 5, 24, 4}, {}), "compression 4"},
      {bmp({5, 5, 24}, {1, 2, 3}), "premature end"},
      {bmp({5, 5, 8, 0, 1000, kPalette}, {}), "1000 colours"},
      {bmp({5, 5, 8, 0, 256, kPalette}, {}), "premature end"}};
  for (const auto& [bytes, reason] : cases) {
    const std::string message = data_error([&] { decode(bytes, 3); });
    EXPECT_NE(message.find(reason), std::string::npos) << reason << ": " << message;
  }
}

TEST(Bmp, CutAnywhereIsRefused) {
  const BmpBytes bytes = bmp({2, 2, 8, 1, 5, kPalette}, {1, 3, 1, 4, 0, 0, 1, 1, 1, 2, 0, 1});
  EXPECT_EQ(decode(bytes, 3).cols, 2);
  for (size_t size = 0; size < bytes.size() - 2; ++size) {
    EXPECT_THROW(decode(std::span(bytes).first(size), 3), Error) << size;
  }
}

TEST(Bmp, AlteredFilesGiveAnImageOrAReason) {
  KeyedRandom random(1, Purpose::kSynthetic, 0, 0);
  const std::vector<BmpBytes> sound{
      bmp({2, 2}, kRows24), bmp({2, 2, 8, 1, 5, kPalette}, {1, 3, 1, 4, 0, 0, 1, 1, 1, 2, 0, 1})};
  int refused = 0;
  for (int i = 0; i < 4000; ++i) {
    BmpBytes bytes = sound[static_cast<size_t>(i) % 2];
    for (int changes = 0; changes < 1 + i % 3; ++changes) {
      bytes[random.below(bytes.size())] = static_cast<uint8_t>(random.below(256));
    }
    if (test::is_refused(bytes)) ++refused;
  }
  EXPECT_GT(refused, 500);
}

}  // namespace
}  // namespace fcm::image
