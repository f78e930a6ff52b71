#include "fcm/loader/distortion.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "fcm/image/hsv.h"
#include "tests/loader/support.h"

namespace fcm::loader {
namespace {

using Bytes = std::vector<uint8_t>;

Bytes distorted(Bytes pixels, const Distortion& distortion) {
  distort(distortion, pixels.data(), std::ssize(pixels) / 3);
  return pixels;
}

uint8_t scaled(uint8_t value, double factor, double added) {
  const float product = static_cast<float>(value) * static_cast<float>(factor);
  const float sum = product + static_cast<float>(added);
  return static_cast<uint8_t>(std::min(std::max(sum, 0.0F), 255.0F));
}

// Applies each step to the whole image, as upstream does.
Bytes plainly_distorted(Bytes pixels, const Distortion& d) {
  const auto contrast = [&] {
    for (uint8_t& value : pixels) {
      if (d.contrast) value = scaled(value, *d.contrast, 0);
    }
  };
  if (d.brightness) {
    for (uint8_t& value : pixels) value = scaled(value, 1, *d.brightness);
  }
  if (d.contrast_first) contrast();
  const int64_t count = std::ssize(pixels) / 3;
  if (d.saturation) {
    image::hsv_from_rgb(pixels.data(), count);
    for (size_t i = 1; i < pixels.size(); i += 3) pixels[i] = scaled(pixels[i], *d.saturation, 0);
    image::rgb_from_hsv(pixels.data(), count);
  }
  if (d.hue) {
    image::hsv_from_rgb(pixels.data(), count);
    for (size_t i = 0; i < pixels.size(); i += 3) {
      int hue = (pixels[i] + *d.hue) % 180;
      if (hue < 0) hue += 180;
      pixels[i] = static_cast<uint8_t>(hue);
    }
    image::rgb_from_hsv(pixels.data(), count);
  }
  if (!d.contrast_first) contrast();
  return pixels;
}

TEST(Distortion, AnyDrawIsTheStepsOneByOne) {
  const Bytes image = test::pattern(31, 47, 3).pixels;
  std::set<int> kinds;
  for (uint64_t sample = 0; sample < 400; ++sample) {
    KeyedRandom random(3, Purpose::kColourJitter, 0, sample);
    const Distortion drawn = draw_distortion(random);
    EXPECT_TRUE(distorted(image, drawn) == plainly_distorted(image, drawn)) << sample;
    kinds.insert(drawn.brightness.has_value() + 2 * drawn.contrast_first +
                 4 * drawn.contrast.has_value() + 8 * drawn.saturation.has_value() +
                 16 * drawn.hue.has_value());
  }
  EXPECT_EQ(kinds.size(), 32u);
}

TEST(Distortion, NothingDrawnChangesNothing) {
  const Bytes image = test::pattern(5, 7, 3).pixels;
  EXPECT_EQ(distorted(image, {}), image);
  EXPECT_NE(distorted(image, {.hue = 0}), image);  // converting to HSV and back rounds
}

TEST(Distortion, ValuesAreCutAndTruncated) {
  EXPECT_EQ(distorted({0, 10, 250}, {.brightness = 5.9}), (Bytes{5, 15, 255}));
  EXPECT_EQ(distorted({0, 10, 250}, {.brightness = -5.9}), (Bytes{0, 4, 244}));
  EXPECT_EQ(distorted({0, 11, 250}, {.contrast = 1.5}), (Bytes{0, 16, 255}));
  const Distortion both{.brightness = 31, .contrast_first = true, .contrast = 0.5};
  EXPECT_EQ(distorted({0, 11, 250}, both), (Bytes{15, 21, 127}));
}

TEST(Distortion, DrawsReachAllValuesAndNoOthers) {
  std::set<int> hues;
  double low = 99, high = -99, least = 99, most = -99;
  int brightened = 0;
  constexpr uint64_t kDraws = 4000;
  for (uint64_t sample = 0; sample < kDraws; ++sample) {
    KeyedRandom random(1, Purpose::kColourJitter, 2, sample);
    const Distortion drawn = draw_distortion(random);
    brightened += drawn.brightness.has_value();
    low = std::min(low, drawn.brightness.value_or(0));
    high = std::max(high, drawn.brightness.value_or(0));
    least = std::min({least, drawn.contrast.value_or(1), drawn.saturation.value_or(1)});
    most = std::max({most, drawn.contrast.value_or(1), drawn.saturation.value_or(1)});
    if (drawn.hue) hues.insert(*drawn.hue);
  }
  EXPECT_EQ(hues.size(), 36u);
  EXPECT_EQ(*hues.begin(), -18);
  EXPECT_EQ(*hues.rbegin(), 17);
  EXPECT_GE(low, -32);
  EXPECT_LT(high, 32);
  EXPECT_LT(low, -31.5);
  EXPECT_GT(high, 31.5);
  EXPECT_GE(least, 0.5);
  EXPECT_LT(most, 1.5);
  EXPECT_LT(least, 0.51);
  EXPECT_GT(most, 1.49);
  EXPECT_NEAR(brightened, 2000, 160);  // five std of a fair coin
}

}  // namespace
}  // namespace fcm::loader
