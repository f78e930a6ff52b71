#include <webp/decode.h>

#include "tests/image/codec_support.h"
#include "tests/image/section_support.h"

namespace fcm::image {
namespace {

using test::data_error;
using test::encode_webp;
using test::scene;
using test::WebpSettings;

std::vector<uint8_t> some_alpha(const Image& image) {
  std::vector<uint8_t> alpha(static_cast<size_t>(image.rows * image.cols));
  for (size_t i = 0; i < alpha.size(); ++i) alpha[i] = static_cast<uint8_t>(i % 5 == 0 ? 0 : i);
  return alpha;
}

// The pixels of libwebp's simple decoder, which are also Pillow's.
std::vector<uint8_t> decoded_in_one_call(const std::vector<uint8_t>& bytes) {
  int cols = 0, rows = 0;
  uint8_t* const pixels = WebPDecodeRGB(bytes.data(), bytes.size(), &cols, &rows);
  std::vector<uint8_t> copy(pixels, pixels + 3 * rows * cols);
  WebPFree(pixels);
  return copy;
}

TEST(Webp, LosslessGivesBackEveryPixel) {
  const Image image = scene(37, 53);
  const Image decoded = decode(encode_webp(image, {.lossless = true}), 3);
  EXPECT_EQ(decoded.rows, 37);
  EXPECT_EQ(decoded.cols, 53);
  EXPECT_EQ(decoded.pixels, image.pixels);
}

TEST(Webp, LossyHasThePixelsOfTheOneCallDecoder) {
  for (const float quality : {1.F, 50.F, 95.F}) {
    const auto bytes = encode_webp(scene(61, 47), {.quality = quality});
    EXPECT_EQ(decode(bytes, 3).pixels, decoded_in_one_call(bytes)) << quality;
  }
}

TEST(Webp, AlphaIsDroppedWithoutBlending) {
  const Image image = scene(20, 30);
  const auto alpha = some_alpha(image);
  EXPECT_EQ(decode(encode_webp(image, {.lossless = true}, alpha), 3).pixels, image.pixels);
  const auto lossy = encode_webp(image, {}, alpha);
  EXPECT_EQ(decode(lossy, 3).pixels, decoded_in_one_call(lossy));
}

TEST(Webp, GreyIsComputedFromTheColours) {
  const auto bytes = encode_webp(scene(20, 30));
  const Image colour = decode(bytes, 3), grey = decode(bytes, 1);
  ASSERT_EQ(grey.pixels.size() * 3, colour.pixels.size());
  const uint8_t* rgb = colour.pixels.data();
  EXPECT_EQ(grey.pixels[0], (rgb[0] * 19595 + rgb[1] * 38470 + rgb[2] * 7471 + 0x8000) >> 16);
}

TEST(Webp, SectionsHaveThePixelsOfTheWhole) {
  const Image image = scene(203, 157);
  int kinds = 0;
  for (const float quality : {2.F, 40.F, 90.F}) {
    for (const int strength : {0, 30, 100}) {
      for (const int type : {0, 1}) {
        const WebpSettings settings{.quality = quality,
                                    .filter_strength = strength,
                                    .filter_type = type,
                                    .partitions = kinds % 4};
        EXPECT_EQ(test::different_sections(encode_webp(image, settings), 60, 0), 0)
            << quality << " " << strength << " " << type;
        ++kinds;
      }
    }
  }
  EXPECT_EQ(test::different_sections(encode_webp(image, {.lossless = true}), 60, 0), 0);
  EXPECT_EQ(test::different_sections(encode_webp(image, {}, some_alpha(image)), 60, 0), 0);
}

TEST(Webp, NoMoreThanWantedIsDecoded) {
  const Section section = test::section_of(encode_webp(scene(200, 150)), {100, 60, 20, 30});
  EXPECT_LE(section.image.rows, 30);
  EXPECT_LE(section.image.cols, 40);
}

TEST(Webp, TheSizeIsCheckedBeforeMemoryIsTaken) {
  const auto bytes = encode_webp(scene(20, 30));
  const auto error = data_error([&] { decode(bytes, 3, {.max_pixels = 599}); });
  EXPECT_NE(error.find("30x20"), std::string::npos) << error;
  EXPECT_EQ(decode(bytes, 3, {.max_pixels = 600}).rows, 20);
}

void put(std::vector<uint8_t>& bytes, uint32_t value, int size) {
  for (int i = 0; i < size; ++i) bytes.push_back(static_cast<uint8_t>(value >> 8 * i));
}

// Appends a chunk: name, size, content, padding to an even size.
void put_chunk(std::vector<uint8_t>& bytes, const std::string& name,
               const std::vector<uint8_t>& content) {
  bytes.insert(bytes.end(), name.begin(), name.end());
  put(bytes, static_cast<uint32_t>(content.size()), 4);
  bytes.insert(bytes.end(), content.begin(), content.end());
  if (content.size() % 2 == 1) bytes.push_back(0);
}

// An animation on a canvas of cols x rows; each frame is a still image at (left, top).
std::vector<uint8_t> animation(int64_t cols, int64_t rows, int64_t left, int64_t top,
                               const std::vector<Image>& frames) {
  std::vector<uint8_t> chunks, head{2, 0, 0, 0};  // the animation flag
  put(head, static_cast<uint32_t>(cols - 1), 3);
  put(head, static_cast<uint32_t>(rows - 1), 3);
  put_chunk(chunks, "VP8X", head);
  put_chunk(chunks, "ANIM", {255, 255, 255, 255, 0, 0});
  for (const Image& image : frames) {
    const std::vector<uint8_t> still = encode_webp(image, {.lossless = true});
    std::vector<uint8_t> frame;
    for (const int64_t value : {left / 2, top / 2, image.cols - 1, image.rows - 1}) {
      put(frame, static_cast<uint32_t>(value), 3);
    }
    put(frame, 100, 3);
    put(frame, 0, 1);
    frame.insert(frame.end(), still.begin() + 12, still.end());
    put_chunk(chunks, "ANMF", frame);
  }
  std::vector<uint8_t> bytes{'R', 'I', 'F', 'F'};
  put(bytes, static_cast<uint32_t>(chunks.size() + 4), 4);
  for (const char letter : std::string("WEBP")) bytes.push_back(static_cast<uint8_t>(letter));
  bytes.insert(bytes.end(), chunks.begin(), chunks.end());
  return bytes;
}

// Pillow reads animations in the same way.
TEST(Webp, OfAnAnimationTheFirstFrameOnABlackCanvas) {
  const Image first = scene(20, 30), second = scene(20, 30, 7);
  EXPECT_EQ(decode(animation(30, 20, 0, 0, {first, second}), 3).pixels, first.pixels);
  const auto shifted = animation(40, 26, 4, 6, {first, second});
  const Image canvas = decode(shifted, 3);
  EXPECT_EQ(canvas.rows, 26);
  EXPECT_EQ(canvas.cols, 40);
  for (int64_t row = 0; row < 26; ++row) {
    for (int64_t col = 0; col < 40; ++col) {
      const bool inside = row >= 6 && col >= 4 && col < 34;
      const int64_t place = ((row - 6) * 30 + col - 4) * 3;
      ASSERT_EQ(canvas.pixels[static_cast<size_t>((row * 40 + col) * 3)],
                inside ? first.pixels[static_cast<size_t>(place)] : 0)
          << row << " " << col;
    }
  }
  EXPECT_EQ(test::different_sections(shifted, 10, 0), 0);
  auto cut = shifted;
  cut.resize(cut.size() - 10);
  EXPECT_NE(data_error([&] { decode(cut, 3); }).find("damaged WebP"), std::string::npos);
}

TEST(Webp, AnAnimationWithoutFramesIsRefused) {
  std::vector<uint8_t> bytes = encode_webp(scene(20, 30), {}, std::vector<uint8_t>(600, 128));
  ASSERT_EQ(std::string(bytes.begin() + 12, bytes.begin() + 16), "VP8X");
  bytes[20] |= 2;  // the animation flag
  const auto error = data_error([&] { decode(bytes, 3); });
  EXPECT_NE(error.find("damaged WebP: an animation"), std::string::npos) << error;
}

TEST(Webp, DamageThatShowsIsRefused) {
  const auto sound = encode_webp(scene(64, 48), {.lossless = true});
  auto bytes = sound;
  std::fill(bytes.begin() + 25, bytes.begin() + 200, uint8_t{0xFF});
  EXPECT_NE(data_error([&] { decode(bytes, 3); }).find("damaged WebP"), std::string::npos);
  bytes = sound;
  bytes[12] = 'X';  // no pixel chunk remains
  EXPECT_NE(data_error([&] { decode(bytes, 3); }), "");
}

}  // namespace
}  // namespace fcm::image
