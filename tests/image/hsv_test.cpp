#include "fcm/image/hsv.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/image/sha256.h"
#include "tests/image/support.h"

namespace fcm::image {
namespace {

const std::filesystem::path kSegmentation = FCM_SOURCE_DIR "/../shared/goldens/segmentation";

// All triples of bytes whose first byte is below `first`.
std::vector<uint8_t> all_triples(int first) {
  std::vector<uint8_t> bytes;
  bytes.reserve(static_cast<size_t>(first) * 65536 * 3);
  for (int a = 0; a < first; ++a) {
    for (int b = 0; b < 256; ++b) {
      for (int c = 0; c < 256; ++c) {
        for (const int value : {a, b, c}) bytes.push_back(static_cast<uint8_t>(value));
      }
    }
  }
  return bytes;
}

using Triple = std::array<uint8_t, 3>;

Triple hsv_of(Triple rgb) {
  hsv_from_rgb(rgb.data(), 1);
  return rgb;
}
Triple rgb_of(Triple hsv) {
  rgb_from_hsv(hsv.data(), 1);
  return hsv;
}

// Compares with digests of OpenCV's results for all inputs.
TEST(Hsv, EveryColourIsOpenCvs) {
  FCM_NEED_FOLDER(kSegmentation);
  const auto stored = nlohmann::json::parse(test::bytes_of(kSegmentation / "colour.json"));
  std::vector<uint8_t> colours = all_triples(256);
  hsv_from_rgb(colours.data(), std::ssize(colours) / 3);
  EXPECT_EQ(test::Sha256::hex(colours), stored.at("rgb_to_hsv_all"));
  colours = all_triples(180);
  rgb_from_hsv(colours.data(), std::ssize(colours) / 3);
  EXPECT_EQ(test::Sha256::hex(colours), stored.at("hsv_to_rgb_all"));
  colours[1000] ^= 1;
  EXPECT_NE(test::Sha256::hex(colours), stored.at("hsv_to_rgb_all"));
}

TEST(Hsv, ColoursAndGreys) {
  EXPECT_EQ(hsv_of({255, 0, 0}), (Triple{0, 255, 255}));
  EXPECT_EQ(hsv_of({0, 255, 0}), (Triple{60, 255, 255}));
  EXPECT_EQ(hsv_of({0, 0, 255}), (Triple{120, 255, 255}));
  EXPECT_EQ(hsv_of({255, 0, 1}), (Triple{0, 255, 255}));  // hue -0.1 is rounded to 0
  EXPECT_EQ(hsv_of({77, 77, 77}), (Triple{0, 0, 77}));
  EXPECT_EQ(hsv_of({0, 0, 0}), (Triple{0, 0, 0}));
  EXPECT_EQ(rgb_of({0, 255, 255}), (Triple{255, 0, 0}));
  EXPECT_EQ(rgb_of({60, 255, 128}), (Triple{0, 128, 0}));
  EXPECT_EQ(rgb_of({150, 255, 255}), (Triple{255, 0, 254}));  // truncated, not rounded
}

// The falling channel by the formula in float32, with or without fused multiply-add.
uint8_t second_level(const Triple& hsv, bool fused) {
  const float at = static_cast<float>(hsv[0]) * (6.0F / 180.0F);
  const float within = at - std::floor(at);
  const float s = static_cast<float>(hsv[1]) * (1.0F / 255.0F);
  const float v = static_cast<float>(hsv[2]) * (1.0F / 255.0F);
  const float kept = fused ? std::fma(-s, within, 1.0F) : 1.0F - s * within;
  return static_cast<uint8_t>(v * kept * 255.0F);
}

TEST(Hsv, MultiplyAndAddAreNotFused) {
  int fused_differs = 0;
  for (int hue = 31; hue < 60; ++hue) {  // hues at which red is the falling channel
    for (int s = 0; s < 256; ++s) {
      for (int v = 0; v < 256; ++v) {
        const Triple hsv{static_cast<uint8_t>(hue), static_cast<uint8_t>(s),
                         static_cast<uint8_t>(v)};
        const uint8_t red = rgb_of(hsv)[0];
        ASSERT_EQ(red, second_level(hsv, false)) << hue << " " << s << " " << v;
        fused_differs += red != second_level(hsv, true);
      }
    }
  }
  EXPECT_GT(fused_differs, 0);
}

}  // namespace
}  // namespace fcm::image
