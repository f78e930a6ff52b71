#include "fcm/viz/feature_picture.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "fcm/base/random.h"

namespace fcm::viz {
namespace {

// 40 patches that differ along three given directions of eight, by 5, 3 and 1.
std::vector<float> patches_along_axes() {
  KeyedRandom random(1, Purpose::kSynthetic, 0, 0);
  std::vector<float> values;
  for (int patch = 0; patch < 40; ++patch) {
    std::vector<float> row(8, 2.0F);  // a mean that must not matter
    row[6] += static_cast<float>(5 * random.normal());
    row[1] += static_cast<float>(3 * random.normal());
    row[4] += static_cast<float>(random.normal());
    values.insert(values.end(), row.begin(), row.end());
  }
  return values;
}

TEST(FeaturePicture, FindsTheDirectionsInTheirOrder) {
  const Components components = principal_components(patches_along_axes(), 40);
  const size_t strongest[] = {6, 1, 4};
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_GT(components.axes_D[i][strongest[i]], 0.9F) << i;
    double length = 0, along_next = 0;
    for (size_t d = 0; d < 8; ++d) {
      length += components.axes_D[i][d] * components.axes_D[i][d];
      along_next += components.axes_D[i][d] * components.axes_D[(i + 1) % 3][d];
    }
    EXPECT_NEAR(length, 1, 1e-5);
    EXPECT_NEAR(along_next, 0, 1e-4);
    EXPECT_LT(components.low[i], 0);
    EXPECT_GT(components.high[i], 0);
  }
}

TEST(FeaturePicture, EndsOfTheRangeAreBlackAndWhite) {
  // One dimension, 1 x 3 patches: -1, 0 and 1; other components do not vary.
  const std::vector<float> values{-1, 0, 1};
  const Components components = principal_components(values, 3);
  const image::Image picture = components_picture(components, values, {}, 1, 3, 2);
  ASSERT_EQ(picture.rows, 2);
  ASSERT_EQ(picture.cols, 6);
  EXPECT_EQ(picture.pixels[0], 0);
  EXPECT_EQ(picture.pixels[6], 128);
  EXPECT_EQ(picture.pixels[12], 255);
  EXPECT_EQ(picture.pixels[13], 128);  // green: nothing varies
}

TEST(FeaturePicture, PatchesNobodyGuessedAreGrey) {
  const std::vector<float> values{-1, 5, 1};
  const std::vector<uint8_t> shown{1, 0, 1};
  const image::Image picture =
      components_picture(principal_components(values, 3), values, shown, 1, 3, 1);
  for (size_t channel = 3; channel < 6; ++channel) EXPECT_EQ(picture.pixels[channel], 128);
  EXPECT_NE(picture.pixels[0], 128);
}

TEST(FeaturePicture, ConstantFeaturesGiveAnEvenPicture) {
  const std::vector<float> values(12, 3.0F);
  const image::Image picture =
      components_picture(principal_components(values, 4), values, {}, 2, 2, 1);
  for (const uint8_t byte : picture.pixels) EXPECT_EQ(byte, 128);
}

TEST(FeaturePicture, RefusesFeaturesThatDoNotFit) {
  EXPECT_THROW(principal_components(std::vector<float>(7), 2), std::logic_error);
  const Components components = principal_components(std::vector<float>(8), 4);
  EXPECT_THROW(components_picture(components, std::vector<float>(7), {}, 2, 2, 1),
               std::logic_error);
}

}  // namespace
}  // namespace fcm::viz
