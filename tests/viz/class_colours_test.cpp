#include "fcm/viz/class_colours.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace fcm::viz {
namespace {

double least_distance(const std::vector<Colour>& colours) {
  double least = 1;
  for (size_t i = 0; i < colours.size(); ++i) {
    for (size_t j = 0; j < i; ++j) least = std::min(least, colour_distance(colours[i], colours[j]));
  }
  return least;
}

TEST(ClassColours, DistancesAreThoseOfOklab) {
  EXPECT_NEAR(colour_distance({0, 0, 0}, {255, 255, 255}), 1, 1e-6);
  EXPECT_EQ(colour_distance({10, 20, 30}, {10, 20, 30}), 0);
  // In Oklab red is (0.62796, 0.22486, 0.12585), and green is (0.86644, -0.23389, 0.17950).
  EXPECT_NEAR(colour_distance({255, 0, 0}, {0, 255, 0}), 0.5198, 1e-4);
}

// Two colours side by side differ visibly from an Oklab distance of about 0.02. Blending with an
// image halves the distances.
TEST(ClassColours, CanBeToldApart) {
  EXPECT_GT(least_distance(class_colours(10)), 0.2);
  EXPECT_GT(least_distance(class_colours(20)), 0.14);
  EXPECT_GT(least_distance(class_colours(150)), 0.05);
  EXPECT_GT(least_distance(class_colours(255)), 0.04);
  for (const Colour colour : class_colours(255)) {
    EXPECT_GT(colour_distance(colour, {0, 0, 0}), 0.35);
  }
}

TEST(ClassColours, OfAClassDoNotDependOnTheNumberOfClasses) {
  const std::vector<Colour> many = class_colours(150), few = class_colours(11);
  EXPECT_TRUE(std::equal(few.begin(), few.end(), many.begin()));
  EXPECT_TRUE(class_colours(0).empty());
}

}  // namespace
}  // namespace fcm::viz
