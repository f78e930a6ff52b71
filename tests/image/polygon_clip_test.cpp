// Compares polygons clipped to a window with point membership, with Sutherland-Hodgman clipping,
// and with outlines computed by hand.
#include "fcm/image/polygon_clip.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "fcm/base/random.h"

namespace fcm::image {
namespace {

using Outlines = std::vector<std::vector<double>>;
using Window = std::array<double, 4>;

double signed_area(const std::vector<double>& xy) {
  double sum = 0;
  const size_t count = xy.size() / 2;
  for (size_t i = 0; i < count; ++i) {
    const size_t next = (i + 1) % count;
    sum += xy[2 * i] * xy[2 * next + 1] - xy[2 * next] * xy[2 * i + 1];
  }
  return sum / 2;
}

double area_of_all(const Outlines& outlines) {
  double sum = 0;
  for (const auto& xy : outlines) sum += std::abs(signed_area(xy));
  return sum;
}

Window box_of(const Outlines& outlines) {
  Window box{1e9, 1e9, -1e9, -1e9};
  for (const auto& xy : outlines) {
    for (size_t i = 0; i < xy.size(); ++i) {
      box[i % 2] = std::min(box[i % 2], xy[i]);
      box[2 + i % 2] = std::max(box[2 + i % 2], xy[i]);
    }
  }
  return box;
}

// Whether a point is inside by the even-odd rule: a ray to the right has an odd number of
// crossings.
bool contains(const std::vector<double>& xy, double x, double y) {
  bool inside = false;
  const size_t count = xy.size() / 2;
  for (size_t i = 0, j = count - 1; i < count; j = i++) {
    const double xi = xy[2 * i], yi = xy[2 * i + 1], xj = xy[2 * j], yj = xy[2 * j + 1];
    if ((yi > y) != (yj > y) && x < (xj - xi) * (y - yi) / (yj - yi) + xi) inside = !inside;
  }
  return inside;
}

// Sutherland-Hodgman clipping, which connects separate parts by edges along the window's border.
std::vector<double> sutherland_hodgman(std::vector<double> xy, const Window& window) {
  for (size_t side = 0; side < 4; ++side) {
    const size_t axis = side % 2;
    const double sign = side < 2 ? 1 : -1;
    const auto depth = [&](size_t point) { return sign * (xy[2 * point + axis] - window[side]); };
    std::vector<double> next;
    const size_t count = xy.size() / 2;
    for (size_t i = 0; i < count; ++i) {
      const size_t k = (i + 1) % count;
      const double a = depth(i), b = depth(k);
      if (a >= 0) next.insert(next.end(), {xy[2 * i], xy[2 * i + 1]});
      if ((a >= 0) == (b >= 0)) continue;
      for (size_t c = 0; c < 2; ++c) {
        next.push_back(xy[2 * i + c] + a / (a - b) * (xy[2 * k + c] - xy[2 * i + c]));
      }
    }
    xy = next;
  }
  return xy;
}

// A polygon through points around a centre at random distances: not self-crossing, not convex.
std::vector<double> star(KeyedRandom& random) {
  const uint64_t points = 3 + random.below(40);
  const double x = 40 * random.uniform_double() - 10, y = 40 * random.uniform_double() - 10;
  std::vector<double> xy;
  for (uint64_t i = 0; i < points; ++i) {
    const double angle =
        2 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(points);
    const double radius = 1 + 25 * random.uniform_double();
    xy.push_back(x + radius * std::cos(angle));
    xy.push_back(y + radius * std::sin(angle));
  }
  // With even coordinates, some points are on the window's edges.
  if (random.below(2) == 0) {
    for (double& number : xy) number = std::round(number / 2) * 2;
  }
  return xy;
}

// A comb-shaped polygon: teeth of different heights on a common base.
std::vector<double> comb(KeyedRandom& random) {
  std::vector<double> xy{-5, 40};
  const uint64_t teeth = 1 + random.below(8);
  for (uint64_t i = 0; i < teeth; ++i) {
    const double left = static_cast<double>(4 * i) - 4;
    const auto tip = static_cast<double>(random.below(40)) - 20;
    xy.insert(xy.end(), {left, 30, left, tip, left + 2, tip, left + 2, 30});
  }
  xy.insert(xy.end(), {static_cast<double>(4 * teeth), 40});
  return xy;
}

void expect_no_way_back(const std::vector<double>& xy) {
  const size_t count = xy.size() / 2;
  ASSERT_GE(count, 3u);
  for (size_t i = 0; i < count; ++i) {
    const size_t a = (i + count - 1) % count, c = (i + 1) % count;
    const double ax = xy[2 * i] - xy[2 * a], ay = xy[2 * i + 1] - xy[2 * a + 1];
    const double cx = xy[2 * c] - xy[2 * i], cy = xy[2 * c + 1] - xy[2 * i + 1];
    ASSERT_FALSE(ax * cy == ay * cx && ax * cx + ay * cy < 0) << "point " << i;
    ASSERT_FALSE(ax == 0 && ay == 0) << "point " << i;
  }
}

TEST(PolygonClip, PointsAreInsideWhereTheyWere) {
  const Window window{0, 0, 20, 16};
  int64_t several = 0, none = 0, tighter = 0;
  for (uint64_t number = 0; number < 3000; ++number) {
    KeyedRandom random(1, Purpose::kSynthetic, 0, number);
    const std::vector<double> xy = number % 3 == 0 ? comb(random) : star(random);
    const Outlines parts = clip_polygon(xy, window);
    several += parts.size() > 1 ? 1 : 0;
    none += parts.empty() ? 1 : 0;
    for (const auto& part : parts) expect_no_way_back(part);
    for (int i = 0; i < 100; ++i) {
      const double x = 24 * random.uniform_double() - 2, y = 20 * random.uniform_double() - 2;
      const bool in_window = x > window[0] && x < window[2] && y > window[1] && y < window[3];
      int found = 0;
      for (const auto& part : parts) found += contains(part, x, y) ? 1 : 0;
      ASSERT_EQ(found, in_window && contains(xy, x, y) ? 1 : 0)
          << number << " at " << x << ", " << y;
    }
    // The parts' bounding box is never larger than that of Sutherland-Hodgman, sometimes smaller.
    const std::vector<double> bridged = sutherland_hodgman(xy, window);
    ASSERT_NEAR(area_of_all(parts), std::abs(signed_area(bridged)), 1e-9) << number;
    if (parts.empty()) continue;
    const Window box = box_of(parts), wide = box_of({bridged});
    for (size_t i = 0; i < 4; ++i) {
      ASSERT_TRUE(i < 2 ? box[i] >= wide[i] - 1e-9 : box[i] <= wide[i] + 1e-9) << number;
      tighter += std::abs(box[i] - wide[i]) > 0.01 ? 1 : 0;
    }
  }
  EXPECT_GT(several, 300);
  EXPECT_GT(none, 30);
  EXPECT_GT(tighter, 30);
}

// The bounding box of the parts is tight: the polygon has area along each of its sides.
TEST(PolygonClip, TheBoxTouchesTheArea) {
  const Window window{0, 0, 20, 16};
  for (uint64_t number = 0; number < 300; ++number) {
    KeyedRandom random(2, Purpose::kSynthetic, 0, number);
    const std::vector<double> xy = star(random);
    const Outlines parts = clip_polygon(xy, window);
    if (parts.empty()) continue;
    const Window box = box_of(parts);
    for (size_t side = 0; side < 4; ++side) {
      const size_t axis = side % 2;
      const double depth = 1e-4 * (side < 2 ? 1 : -1);
      Window strip = window;
      strip[side] = box[side];
      strip[(side + 2) % 4] = box[side] + depth;
      if (strip[axis] > strip[2 + axis]) std::swap(strip[axis], strip[2 + axis]);
      ASSERT_GT(area_of_all(clip_polygon(xy, strip)), 0) << number << ", side " << side;
    }
  }
}

TEST(PolygonClip, KnownOutlines) {
  const Window window{0, 0, 10, 10};
  const auto clipped = [&](std::vector<double> xy) { return clip_polygon(xy, window); };
  EXPECT_EQ(clipped({1, 1, 4, 1, 4, 4}), (Outlines{{1, 1, 4, 1, 4, 4}}));
  EXPECT_EQ(clipped({-5, 2, 5, 2, 5, 4, -5, 4}), (Outlines{{0, 2, 5, 2, 5, 4, 0, 4}}));
  EXPECT_EQ(area_of_all(clipped({-9, -9, 19, -9, 19, 19, -9, 19})), 100);
  EXPECT_EQ(clipped({11, 1, 14, 1, 14, 4}), Outlines());
  // A U shape whose connecting side is outside of the window: two separate legs remain.
  const Outlines legs = clipped({2, -4, 8, -4, 8, 6, 7, 6, 7, -2, 3, -2, 3, 5, 2, 5});
  ASSERT_EQ(legs.size(), 2u);
  EXPECT_EQ(area_of_all(legs), 11);
  // An arm outside of the window, of which Sutherland-Hodgman would leave a spike along the edge.
  EXPECT_EQ(box_of(clipped({2, 2, 4, 2, 4, 4, -3, 4, -3, 9, -4, 9, -4, 3, 2, 3})),
            (Window{0, 2, 4, 4}));
  // Polygons with a side on the window's edge: outside of the window, inside, and around the whole
  // window with a triangle outside of it.
  EXPECT_EQ(clipped({0, 2, -3, 3, 0, 4}), Outlines());
  EXPECT_EQ(clipped({0, 2, 3, 3, 0, 4}), (Outlines{{0, 2, 3, 3, 0, 4}}));
  EXPECT_EQ(area_of_all(clipped({0, 2, -3, 3, 0, 4, 0, 10, 10, 10, 10, 0, 0, 0})), 100);
  // Polygons with a corner on the window's edge: outside of the window, then inside.
  EXPECT_EQ(clipped({-4, 2, 0, 3, -4, 4}), Outlines());
  EXPECT_EQ(area_of_all(clipped({5, 5, 0, 6, 5, 7})), 5);
}

TEST(PolygonClip, WhatHasNoAreaVanishes) {
  const Window window{0, 0, 10, 10};
  const auto clipped = [&](std::vector<double> xy) { return clip_polygon(xy, window); };
  EXPECT_EQ(clipped({}), Outlines());
  EXPECT_EQ(clipped({1, 1}), Outlines());
  EXPECT_EQ(clipped({1, 1, 2, 2}), Outlines());
  EXPECT_EQ(clipped({1, 1, 2, 2, 3, 3}), Outlines());
  EXPECT_EQ(clipped({1, 1, 1, 1, 1, 1, 1, 1}), Outlines());
  EXPECT_EQ(clipped({0.1, 0.3, 0.2, 0.6, 0.3, 0.9}), Outlines());        // nearly collinear
  EXPECT_EQ(clipped({5, 5, 5, 9, 5, 5, 9, 5, 5, 5, 1, 2}), Outlines());  // three spikes
  // A triangle with a spike that begins at a corner, one whose side continues into a spike, and one
  // with repeated points.
  EXPECT_EQ(clipped({1, 1, 4, 1, 9, 1, 4, 1, 4, 4}), (Outlines{{1, 1, 4, 1, 4, 4}}));
  EXPECT_EQ(clipped({1, 1, 9, 1, 4, 1, 4, 4}), (Outlines{{1, 1, 4, 1, 4, 4}}));
  EXPECT_EQ(clipped({1, 1, 1, 1, 4, 1, 4, 4, 4, 4}), (Outlines{{1, 1, 4, 1, 4, 4}}));
}

// Within the window, the parts of a clipped self-crossing outline contain the same points as the
// outline (even-odd rule).
TEST(PolygonClip, SelfCrossingOutlinesKeepTheirPoints) {
  const Window window{0, 0, 20, 16};
  for (uint64_t number = 0; number < 1000; ++number) {
    KeyedRandom random(3, Purpose::kSynthetic, 0, number);
    std::vector<double> xy(2 * (4 + random.below(8)));
    for (double& value : xy) value = 40 * random.uniform_double() - 10;
    const Outlines parts = clip_polygon(xy, window);
    for (int i = 0; i < 50; ++i) {
      const double x = 20 * random.uniform_double(), y = 16 * random.uniform_double();
      bool found = false;
      for (const auto& part : parts) found ^= contains(part, x, y);
      ASSERT_EQ(found, contains(xy, x, y)) << number;
    }
  }
  EXPECT_EQ(clip_polygon(std::vector<double>{1, 1, 5, 5, 5, 1, 1, 5}, window).size(), 1u);
}

TEST(PolygonClip, ManyPointsTakeLittleTime) {
  constexpr size_t kPoints = 400'000;
  std::vector<double> zigzag;
  for (size_t i = 0; i < kPoints; ++i) {  // each segment crosses the window's edge
    zigzag.push_back(static_cast<double>(i) * 1e-4);
    zigzag.push_back(i % 2 == 0 ? -5.0 : 5.0);
  }
  zigzag.insert(zigzag.end(), {40, 30, 0, 30});
  EXPECT_FALSE(clip_polygon(zigzag, {0, 0, 20, 16}).empty());
  std::vector<double> there_and_back(2 * kPoints);
  for (size_t i = 0; i < kPoints; ++i) {
    there_and_back[2 * i] = static_cast<double>(i < kPoints / 2 ? i : kPoints - i);
  }
  EXPECT_TRUE(clip_polygon(there_and_back, {0, 0, 20, 16}).empty());
}

}  // namespace
}  // namespace fcm::image
