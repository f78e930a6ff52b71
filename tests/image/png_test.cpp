#include <png.h>
#include <zlib.h>

#include <array>

#include "fcm/image/image.h"
#include "tests/image/support.h"
#include "tests/support/scratch.h"

namespace fcm::image {
namespace {

TEST(Png, WhatIsWrittenIsRead) {
  for (const int64_t channels : {1, 3}) {
    for (const auto& [rows, cols] : {std::pair{1, 1}, std::pair{37, 5}, std::pair{64, 300}}) {
      const Image image = test::pattern(rows, cols, channels);
      const Image again = decode(encode_png(image), channels);
      EXPECT_EQ(again.rows, rows);
      EXPECT_EQ(again.cols, cols);
      EXPECT_EQ(again.pixels, image.pixels);
    }
  }
}

TEST(Png, NoiseFitsAlthoughItCannotBeCompressed) {
  const Image noise = test::pattern(700, 900, 3);
  EXPECT_EQ(decode(encode_png(noise), 3).pixels, noise.pixels);
}

TEST(Png, SmoothImagesMakeSmallFiles) {
  Image ramp{256, 256, 3, {}};
  for (int row = 0; row < 256; ++row) {
    for (int col = 0; col < 256; ++col) {
      for (const int value : {row, col, (row + col) / 2}) {
        ramp.pixels.push_back(static_cast<uint8_t>(value));
      }
    }
  }
  EXPECT_LT(encode_png(ramp).size(), ramp.pixels.size() / 50);
}

TEST(Png, WritesAFile) {
  const test::Scratch folder;
  const auto path = folder / "picture.png";
  const Image image = test::pattern(6, 7, 3);
  write_png(path, image);
  EXPECT_EQ(decode(test::bytes_of(path), 3).pixels, image.pixels);
  EXPECT_THROW(write_png("/nonexistent/folder/x.png", image), Error);
}

// Writes a PNG of any colour type and depth, row by row with libpng's basic calls.
std::vector<uint8_t> make_png(int type, int depth, const std::vector<std::vector<uint8_t>>& rows,
                              uint32_t cols, int interlace = PNG_INTERLACE_NONE) {
  std::vector<uint8_t> file;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(
      png, &file,
      [](png_structp writer, png_bytep from, size_t count) {
        auto& output = *static_cast<std::vector<uint8_t>*>(png_get_io_ptr(writer));
        output.insert(output.end(), from, from + count);
      },
      nullptr);
  png_set_IHDR(png, info, cols, static_cast<uint32_t>(rows.size()), depth, type, interlace,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  if (type == PNG_COLOR_TYPE_PALETTE) {
    const std::array<png_color, 3> palette{{{255, 0, 0}, {0, 128, 0}, {1, 2, 3}}};
    const std::array<uint8_t, 2> alpha{0, 128};
    png_set_PLTE(png, info, palette.data(), static_cast<int>(palette.size()));
    png_set_tRNS(png, info, alpha.data(), static_cast<int>(alpha.size()), nullptr);
  }
  std::vector<png_bytep> pointers;
  for (const auto& row : rows) pointers.push_back(const_cast<png_bytep>(row.data()));
  png_set_rows(png, info, pointers.data());
  png_write_png(png, info, PNG_TRANSFORM_IDENTITY, nullptr);
  png_destroy_write_struct(&png, &info);
  return file;
}

using Pixels = std::vector<uint8_t>;

TEST(Png, PaletteWithAlphaGivesTheColoursUnblended) {
  const auto file = make_png(PNG_COLOR_TYPE_PALETTE, 8, {{0, 1, 2}}, 3);
  EXPECT_EQ(decode(file, 3).pixels, (Pixels{255, 0, 0, 0, 128, 0, 1, 2, 3}));
}

TEST(Png, FewBitsSpreadOverTheWholeRange) {
  EXPECT_EQ(decode(make_png(PNG_COLOR_TYPE_GRAY, 1, {{0b10100000}}, 3), 1).pixels,
            (Pixels{255, 0, 255}));
  EXPECT_EQ(decode(make_png(PNG_COLOR_TYPE_GRAY, 2, {{0b00011011}}, 4), 1).pixels,
            (Pixels{0, 85, 170, 255}));
  EXPECT_EQ(decode(make_png(PNG_COLOR_TYPE_GRAY, 4, {{0x1F}}, 2), 1).pixels, (Pixels{17, 255}));
}

TEST(Png, AlphaIsDropped) {
  const auto rgba = make_png(PNG_COLOR_TYPE_RGB_ALPHA, 8, {{10, 20, 30, 0, 40, 50, 60, 128}}, 2);
  EXPECT_EQ(decode(rgba, 3).pixels, (Pixels{10, 20, 30, 40, 50, 60}));
  const auto grey = make_png(PNG_COLOR_TYPE_GRAY_ALPHA, 8, {{10, 0, 20, 255}}, 2);
  EXPECT_EQ(decode(grey, 3).pixels, (Pixels{10, 10, 10, 20, 20, 20}));
}

TEST(Png, SixteenBitsKeepTheHighByteInColourAndAreScaledInGrey) {
  const auto rgb = make_png(PNG_COLOR_TYPE_RGB, 16, {{0x12, 0xFF, 0x80, 0x00, 0xFF, 0x00}}, 1);
  EXPECT_EQ(decode(rgb, 3).pixels, (Pixels{0x12, 0x80, 0xFF}));
  const auto grey = make_png(PNG_COLOR_TYPE_GRAY, 16, {{0x12, 0xFF, 0xFF, 0xFF, 0, 0}}, 3);
  EXPECT_EQ(decode(grey, 1).pixels, (Pixels{19, 255, 0}));  // 0x12FF / 257 = 18.9
}

// Inserts a chunk after the header.
std::vector<uint8_t> with_chunk(std::vector<uint8_t> png, const std::string& name,
                                const std::string& content) {
  std::vector<uint8_t> chunk;
  const auto number = [&](uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8)
      chunk.push_back(static_cast<uint8_t>(value >> shift));
  };
  number(static_cast<uint32_t>(content.size()));
  chunk.insert(chunk.end(), name.begin(), name.end());
  chunk.insert(chunk.end(), content.begin(), content.end());
  number(static_cast<uint32_t>(crc32(0, chunk.data() + 4, static_cast<uInt>(chunk.size() - 4))));
  png.insert(png.begin() + 33, chunk.begin(), chunk.end());
  return png;
}

// Such chunks occur: image generators store whole workflows in text chunks.
TEST(Png, LongChunksThatAreNotUsedArePassedOver) {
  const Image image = test::pattern(5, 6, 3);
  const auto png = encode_png(image);
  for (const char* name : {"tEXt", "prVt", "acTL"}) {
    EXPECT_EQ(decode(with_chunk(png, name, std::string(9 << 20, 'z')), 3).pixels, image.pixels)
        << name;
  }
}

TEST(Png, InterlacedRowsComeInOrder) {
  const Image image = test::pattern(21, 34, 3);
  std::vector<std::vector<uint8_t>> rows;
  for (int64_t row = 0; row < 21; ++row) {
    const auto first = image.pixels.begin() + row * 34 * 3;
    rows.emplace_back(first, first + 34 * 3);
  }
  const auto file = make_png(PNG_COLOR_TYPE_RGB, 8, rows, 34, PNG_INTERLACE_ADAM7);
  EXPECT_EQ(decode(file, 3).pixels, image.pixels);
}

// Label maps: the stored values are read without conversion.
TEST(Png, NumbersOfMaps) {
  EXPECT_EQ(decode_class_map(make_png(PNG_COLOR_TYPE_GRAY, 8, {{0, 7, 255}}, 3)).pixels,
            (Pixels{0, 7, 255}));
  // Palette files give the indices instead of the colours; values of few bits are not scaled.
  EXPECT_EQ(decode_class_map(make_png(PNG_COLOR_TYPE_PALETTE, 8, {{0, 1, 2}}, 3)).pixels,
            (Pixels{0, 1, 2}));
  EXPECT_EQ(decode_class_map(make_png(PNG_COLOR_TYPE_PALETTE, 2, {{0b00011000}}, 4)).pixels,
            (Pixels{0, 1, 2, 0}));
  EXPECT_EQ(decode_class_map(make_png(PNG_COLOR_TYPE_GRAY, 4, {{0x3f}}, 2)).pixels,
            (Pixels{3, 15}));
  const Image map = decode_class_map(make_png(PNG_COLOR_TYPE_GRAY, 8, {{1, 2}, {3, 4}}, 2));
  EXPECT_EQ((std::array{map.rows, map.cols, map.channels}), (std::array<int64_t, 3>{2, 2, 1}));
}

TEST(Png, WhatHoldsNoNumbersIsRefused) {
  const auto refusal = [](const std::vector<uint8_t>& file) {
    return test::data_error([&] { decode_class_map(file); });
  };
  EXPECT_NE(refusal(make_png(PNG_COLOR_TYPE_GRAY, 16, {{0, 7, 0, 8}}, 2)).find("16 bits"),
            std::string::npos);
  EXPECT_NE(refusal(make_png(PNG_COLOR_TYPE_RGB, 8, {{0, 7, 0}}, 1)).find("colours"),
            std::string::npos);
  EXPECT_NE(refusal(make_png(PNG_COLOR_TYPE_RGB_ALPHA, 8, {{0, 7, 0, 1}}, 1)).find("colours"),
            std::string::npos);
  EXPECT_NE(refusal(make_png(PNG_COLOR_TYPE_GRAY_ALPHA, 8, {{0, 7}}, 1)).find("alpha"),
            std::string::npos);
  EXPECT_NE(refusal({0xFF, 0xD8, 0xFF, 0}).find("not a PNG"), std::string::npos);
  EXPECT_NE(refusal({}).find("not a PNG"), std::string::npos);
  std::vector<uint8_t> file = make_png(PNG_COLOR_TYPE_GRAY, 8, {{1, 2}, {3, 4}}, 2);
  file.resize(file.size() - 20);
  EXPECT_NE(refusal(file).find("damaged PNG"), std::string::npos);
  EXPECT_NE(
      test::data_error([&] {
        decode_class_map(make_png(PNG_COLOR_TYPE_GRAY, 8, {{1, 2}, {3, 4}}, 2), {.max_pixels = 3});
      }).find("more than the allowed"),
      std::string::npos);
}

}  // namespace
}  // namespace fcm::image
