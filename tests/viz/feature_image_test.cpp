#include "fcm/viz/feature_image.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "fcm/base/random.h"

namespace fcm::viz {
namespace {

// Features of 40 patches with std 5, 3 and 1 along three of eight axes.
std::vector<float> patches_along_axes() {
  KeyedRandom random(1, Purpose::kSynthetic, 0, 0);
  std::vector<float> values;
  for (int patch = 0; patch < 40; ++patch) {
    std::vector<float> row(8, 2.0F);  // a mean, which must not matter
    row[6] += static_cast<float>(5 * random.normal());
    row[1] += static_cast<float>(3 * random.normal());
    row[4] += static_cast<float>(random.normal());
    values.insert(values.end(), row.begin(), row.end());
  }
  return values;
}

TEST(FeatureImage, FindsTheDirectionsInTheirOrder) {
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

TEST(FeatureImage, EndsOfTheRangeAreBlackAndWhite) {
  // 1 x 3 patches with one feature: -1, 0 and 1. The other two components are constant.
  const std::vector<float> values{-1, 0, 1};
  const Components components = principal_components(values, 3);
  const image::Image image = components_image(components, values, {}, 1, 3, 2);
  ASSERT_EQ(image.rows, 2);
  ASSERT_EQ(image.cols, 6);
  EXPECT_EQ(image.pixels[0], 0);
  EXPECT_EQ(image.pixels[6], 128);
  EXPECT_EQ(image.pixels[12], 255);
  EXPECT_EQ(image.pixels[13], 128);  // green shows a constant component
}

TEST(FeatureImage, UnpredictedPatchesAreGrey) {
  const std::vector<float> values{-1, 5, 1};
  const std::vector<uint8_t> shown{1, 0, 1};
  const image::Image image =
      components_image(principal_components(values, 3), values, shown, 1, 3, 1);
  for (size_t channel = 3; channel < 6; ++channel) EXPECT_EQ(image.pixels[channel], 128);
  EXPECT_NE(image.pixels[0], 128);
}

TEST(FeatureImage, ConstantFeaturesGiveAnEvenImage) {
  const std::vector<float> values(12, 3.0F);
  const image::Image image = components_image(principal_components(values, 4), values, {}, 2, 2, 1);
  for (const uint8_t byte : image.pixels) EXPECT_EQ(byte, 128);
}

// The variance of the rows of x_LD along an axis, by plain sums.
double variance_along(const std::vector<float>& x_LD, const std::vector<double>& axis_D) {
  const size_t dim = axis_D.size(), rows = x_LD.size() / dim;
  std::vector<double> along(rows);
  double mean = 0;
  for (size_t row = 0; row < rows; ++row) {
    for (size_t d = 0; d < dim; ++d) along[row] += x_LD[row * dim + d] * axis_D[d];
    mean += along[row] / static_cast<double>(rows);
  }
  double variance = 0;
  for (const double value : along) variance += (value - mean) * (value - mean);
  return variance / static_cast<double>(rows);
}

// No direction has more variance than the first component, even if two variances are nearly equal.
TEST(FeatureImage, NoDirectionIsStrongerThanTheFirst) {
  KeyedRandom random(3, Purpose::kSynthetic, 0, 0);
  std::vector<float> values;
  for (int patch = 0; patch < 500; ++patch) {
    for (const double width : {1.0, 0.98, 0.9, 0.5}) {
      values.push_back(static_cast<float>(width * random.normal()));
    }
  }
  const Components components = principal_components(values, 500);
  const auto axis = [&](size_t i) {
    return std::vector<double>(components.axes_D[i].begin(), components.axes_D[i].end());
  };
  const double first = variance_along(values, axis(0));
  EXPECT_GT(first, variance_along(values, axis(1)));
  EXPECT_GT(variance_along(values, axis(1)), variance_along(values, axis(2)));
  for (int trial = 0; trial < 2000; ++trial) {
    std::vector<double> other(4);
    double squares = 0;
    for (double& value : other) {
      value = random.normal();
      squares += value * value;
    }
    for (double& value : other) value /= std::sqrt(squares);
    EXPECT_LE(variance_along(values, other), first * (1 + 1e-6));
  }
}

TEST(FeatureImage, EndsThatStandOutAreLeftOut) {
  std::vector<float> values;  // one feature per patch: 0 to 99, and an outlier at each end
  for (int i = 0; i < 100; ++i) values.push_back(static_cast<float>(i));
  values.push_back(5000);
  values.push_back(-5000);
  Components components = principal_components(values, 102);
  EXPECT_GT(components.high[0], 4000);
  set_quantile_range(components, values, 0.02);
  const float mean = components.mean_D[0];
  EXPECT_NEAR(components.low[0] + mean, 1, 1);
  EXPECT_NEAR(components.high[0] + mean, 98, 1);
  // The values 0 to 99 use the whole range of shades; outliers get the shades at its ends.
  const image::Image image = components_image(components, values, {}, 1, 102, 1);
  EXPECT_NEAR(image.pixels[50 * 3], 128, 5);
  EXPECT_EQ(image.pixels[100 * 3], 255);
  EXPECT_EQ(image.pixels[101 * 3], 0);
  EXPECT_THROW(set_quantile_range(components, values, 0.5), std::logic_error);
}

TEST(FeatureImage, RefusesFeaturesThatDoNotFit) {
  EXPECT_THROW(principal_components(std::vector<float>(7), 2), std::logic_error);
  const Components components = principal_components(std::vector<float>(8), 4);
  EXPECT_THROW(components_image(components, std::vector<float>(7), {}, 2, 2, 1), std::logic_error);
}

}  // namespace
}  // namespace fcm::viz
