#include "fcm/viz/label_positions.h"

#include <gtest/gtest.h>

#include <random>
#include <stdexcept>

namespace fcm::viz {
namespace {

bool overlaps(const image::Box& a, const image::Box& b) {
  return a.top < b.top + b.rows && b.top < a.top + a.rows && a.left < b.left + b.cols &&
         b.left < a.left + a.cols;
}

int64_t overlapping_pairs(const std::vector<image::Box>& places) {
  int64_t pairs = 0;
  for (size_t i = 0; i < places.size(); ++i) {
    for (size_t j = 0; j < i; ++j) pairs += overlaps(places[i], places[j]) ? 1 : 0;
  }
  return pairs;
}

void expect_inside(const std::vector<image::Box>& places, const FittedSize& image) {
  for (const image::Box& place : places) {
    EXPECT_GE(place.top, 0);
    EXPECT_GE(place.left, 0);
    EXPECT_LE(place.top + place.rows, image.rows);
    EXPECT_LE(place.left + place.cols, image.cols);
  }
}

TEST(LabelPositions, OneStandsOverItsBox) {
  const auto places = place_labels({{100, 50, 80, 90}}, {{18, 60}}, {300, 400});
  EXPECT_EQ(places[0].top, 82);
  EXPECT_EQ(places[0].left, 50);
}

TEST(LabelPositions, AtABorderItMovesInside) {
  const auto places =
      place_labels({{0, 380, 80, 20}, {290, 0, 10, 10}}, {{18, 60}, {18, 60}}, {300, 400});
  expect_inside(places, {300, 400});
}

TEST(LabelPositions, ACrowdOfTheSameBoxDoesNotOverlap) {
  const std::vector<image::Box> boxes(40, {100, 150, 60, 50});
  const std::vector<FittedSize> labels(40, {18, 70});
  const auto places = place_labels(boxes, labels, {300, 400});
  EXPECT_EQ(overlapping_pairs(places), 0);
  expect_inside(places, {300, 400});
  EXPECT_GT(overlapping_pairs(boxes), 700);
}

TEST(LabelPositions, CrowdsAtRandomDoNotOverlapWhereThereIsRoom) {
  std::mt19937 random(7);
  for (int trial = 0; trial < 30; ++trial) {
    const FittedSize image{360, 480};
    std::vector<image::Box> boxes;
    std::vector<FittedSize> labels;
    for (int i = 0; i < 25; ++i) {
      const auto below = [&](int64_t most) {
        return static_cast<int64_t>(random() % static_cast<uint32_t>(most));
      };
      const int64_t top = below(340), left = below(460);
      boxes.push_back({top, left, 1 + below(image.rows - top), 1 + below(image.cols - left)});
      labels.push_back({18, 40 + below(60)});
    }
    const auto places = place_labels(boxes, labels, image);
    EXPECT_EQ(overlapping_pairs(places), 0) << trial;
    expect_inside(places, image);
  }
}

TEST(LabelPositions, WithoutRoomEachStillHasOne) {
  const std::vector<image::Box> boxes(9, {2, 2, 10, 10});
  const auto places = place_labels(boxes, std::vector<FittedSize>(9, {18, 30}), {20, 40});
  ASSERT_EQ(places.size(), 9u);
  expect_inside(places, {20, 40});
  // A label that is larger than the image starts at the image's upper left corner.
  const auto large = place_labels({{2, 2, 3, 3}}, {{18, 30}}, {10, 10});
  EXPECT_EQ(large[0].top, 0);
  EXPECT_EQ(large[0].left, 0);
  EXPECT_THROW(place_labels({{2, 2, 3, 3}}, {}, {10, 10}), std::logic_error);
}

}  // namespace
}  // namespace fcm::viz
