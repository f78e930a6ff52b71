// Compares rasterised polygons with stored results of pycocotools and with a step-by-step walk
// along the outline; tests hostile points.
#include "fcm/image/polygon_raster.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "fcm/base/stopwatch.h"
#include "tests/image/mask_support.h"
#include "tests/image/support.h"

namespace fcm::image {
namespace {

using PolygonJson = nlohmann::json;
using Numbers = std::vector<double>;
const std::filesystem::path kStored = FCM_SOURCE_DIR "/../shared/goldens";

// pycocotools' algorithm: walks along the outline in steps of a fifth of a pixel and derives runs.
RunLengths raster_by_walking(const Numbers& xy, int64_t rows, int64_t cols) {
  Numbers xs, ys;
  for (size_t i = 0; i < xy.size(); i += 2) {
    xs.push_back(std::trunc(5 * xy[i] + .5));
    ys.push_back(std::trunc(5 * xy[i + 1] + .5));
  }
  xs.push_back(xs[0]);
  ys.push_back(ys[0]);
  Numbers walk_x, walk_y;
  for (size_t i = 0; i + 1 < xs.size(); ++i) {
    const double width = std::abs(xs[i + 1] - xs[i]), height = std::abs(ys[i + 1] - ys[i]);
    const bool flat = width >= height;
    const double longest = std::max(width, height);
    const Numbers &along = flat ? xs : ys, &across = flat ? ys : xs;
    const bool back = along[i] > along[i + 1];
    const size_t low = back ? i + 1 : i, high = back ? i : i + 1;
    const double slope = longest == 0 ? 0 : (across[high] - across[low]) / longest;
    for (double step = 0; step <= longest; ++step) {
      const double t = back ? longest - step : step;
      const double here = along[low] + t, there = std::trunc(across[low] + slope * t + .5);
      walk_x.push_back(flat ? here : there);
      walk_y.push_back(flat ? there : here);
    }
  }
  std::vector<int64_t> places;
  for (size_t i = 1; i < walk_x.size(); ++i) {
    if (walk_x[i] == walk_x[i - 1]) continue;
    const double col = (std::min(walk_x[i], walk_x[i - 1]) + .5) / 5 - .5;
    if (col != std::floor(col) || col < 0 || col > static_cast<double>(cols - 1)) continue;
    const double row = (std::min(walk_y[i], walk_y[i - 1]) + .5) / 5 - .5;
    const double inside = std::ceil(std::clamp(row, 0.0, static_cast<double>(rows)));
    places.push_back(static_cast<int64_t>(col) * rows + static_cast<int64_t>(inside));
  }
  std::ranges::sort(places);
  places.push_back(rows * cols);
  std::vector<int64_t> runs;
  int64_t before = 0;
  bool join = false;
  for (const int64_t place : places) {
    const int64_t length = place - before;
    before = place;
    if (join) {
      runs.back() += length;
      join = false;
    } else if (length == 0 && !runs.empty()) {
      join = true;
    } else {
      runs.push_back(length);
    }
  }
  return run_lengths_of_counts(runs, rows, cols);
}

TEST(PolygonRaster, StoredPolygons) {
  FCM_NEED_FOLDER(kStored);
  for (const char* file : {"detection/rle.json", "eval_rle/rle.json"}) {
    const auto stored = PolygonJson::parse(test::bytes_of(kStored / file));
    const bool flat = stored.at("polygons").is_array();
    const PolygonJson& items = flat ? stored.at("polygons") : stored.at("polygons").at("items");
    const PolygonJson& size = flat ? stored.at("size") : stored.at("polygons").at("size");
    const int64_t rows = size.at(0), cols = size.at(1);
    for (const PolygonJson& one : items) {
      SCOPED_TRACE(one.dump());
      const auto parts = one.at("polygons").get<std::vector<Numbers>>();
      for (size_t i = 0; i < parts.size(); ++i) {
        EXPECT_EQ(run_lengths_text(raster_polygon(parts[i], rows, cols)), one.at("each")[i]);
        EXPECT_EQ(raster_by_walking(parts[i], rows, cols), raster_polygon(parts[i], rows, cols));
      }
      const RunLengths all = raster_polygons(parts, rows, cols);
      EXPECT_EQ(run_lengths_text(all), one.at("counts"));
      EXPECT_EQ(mask_area(all), one.at("area"));
      EXPECT_EQ(PolygonJson(mask_box(all)), one.at("bbox"));
      if (!one.contains("counts_uncompressed")) continue;
      EXPECT_EQ(PolygonJson(all.runs), one.at("counts_uncompressed"));
    }
    for (const PolygonJson& one : stored.at("boxes_to_rle")) {
      const auto box = one.at("box").get<Numbers>();
      const double right = box[0] + box[2], bottom = box[1] + box[3];
      const Numbers corners{box[0], box[1], box[0], bottom, right, bottom, right, box[1]};
      EXPECT_EQ(run_lengths_text(raster_polygon(corners, rows, cols)), one.at("counts"));
    }
  }
}

// A random polygon: points near and far outside of the image, on whole pixels, halves and fifths;
// repeated points; edges that return along the previous one.
Numbers synthetic_polygon(uint64_t number, int64_t rows, int64_t cols) {
  KeyedRandom random(8, Purpose::kSynthetic, 0, number);
  const uint64_t points = 1 + random.below(12);
  const double spread = number % 5 == 0 ? 3 : number % 5 == 1 ? .02 : 1.2;
  Numbers xy;
  for (uint64_t i = 0; i < points; ++i) {
    for (const int64_t side : {cols, rows}) {
      double value = ((random.uniform_double() - .5) * spread + .5) * static_cast<double>(side);
      if (number % 3 == 1) value = std::round(value * 2) / 2;
      if (number % 3 == 2) value = std::round(value * 5) / 5;
      xy.push_back(value);
    }
    if (random.below(6) == 0) xy.insert(xy.end(), {xy[xy.size() - 2], xy.back()});
  }
  return xy;
}

TEST(PolygonRaster, EqualsTheWalkAlongTheOutline) {
  int64_t pixels = 0;
  for (uint64_t number = 0; number < 3000; ++number) {
    const auto rows = static_cast<int64_t>(1 + number % 37),
               cols = static_cast<int64_t>(1 + number % 53);
    const Numbers xy = synthetic_polygon(number, rows, cols);
    const RunLengths got = raster_polygon(xy, rows, cols);
    ASSERT_EQ(got, raster_by_walking(xy, rows, cols)) << number << " " << PolygonJson(xy);
    pixels += mask_area(got);
  }
  EXPECT_GT(pixels, 100'000);
}

// Coordinates are rounded to fifths of a pixel: 2.5 becomes 13 fifths, right of the centre of
// column 2; 2.4 becomes 12 fifths, left of it.
TEST(PolygonRaster, AFifthOfAPixelDecides) {
  const Numbers square{2.5, 2.5, 7.5, 2.5, 7.5, 7.5, 2.5, 7.5};
  const Numbers wider{2.4, 2.5, 7.5, 2.5, 7.5, 7.5, 2.4, 7.5};
  EXPECT_EQ(mask_box(raster_polygon(square, 10, 10)), (std::array<double, 4>{3, 3, 5, 5}));
  EXPECT_EQ(mask_box(raster_polygon(wider, 10, 10)), (std::array<double, 4>{2, 3, 6, 5}));
}

TEST(PolygonRaster, PartsAreUnited) {
  const std::vector<Numbers> parts{{0, 0, 4, 0, 4, 4, 0, 4}, {2, 2, 6, 2, 6, 6, 2, 6}};
  EXPECT_EQ(mask_area(raster_polygons(parts, 8, 8)), 28);  // 16 + 16 - 4
  EXPECT_THROW(raster_polygons({}, 8, 8), std::logic_error);
}

TEST(PolygonRaster, FewPointsAreTaken) {
  EXPECT_EQ(raster_polygon({}, 3, 4), empty_mask(3, 4));
  EXPECT_EQ(raster_polygon(Numbers{1, 1}, 3, 4), empty_mask(3, 4));
  EXPECT_EQ(raster_polygon(Numbers{0, 0, 4, 3}, 3, 4), empty_mask(3, 4));  // a line has no area
}

TEST(PolygonRaster, HostilePointsAreRefused) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (const double bad : {std::nan(""), kInfinity, -kInfinity, 1e300, -1e300, 4.1e8}) {
    for (size_t place = 0; place < 6; ++place) {
      Numbers xy{0, 0, 3, 0, 3, 3};
      xy[place] = bad;
      EXPECT_NE(test::data_error([&] { raster_polygon(xy, 4, 4); }).find("expected finite numbers"),
                std::string::npos);
    }
  }
  EXPECT_EQ(test::data_error([&] {
              raster_polygon(Numbers{1, 2, 3}, 4, 4);
            }),
            "a polygon has 3 numbers, expected pairs of x and y");
  EXPECT_NE(test::data_error([&] { raster_polygon({}, 0, 4); }), "");
  EXPECT_NE(test::data_error([&] { raster_polygon({}, 1 << 20, 1 << 20); }), "");
}

// pycocotools would take more than 2e9 steps per edge for the first two polygons.
TEST(PolygonRaster, FarPointsAndManyCrossingsTakeBoundedWork) {
  const Stopwatch watch;
  constexpr double kFar = 4e8;
  EXPECT_EQ(mask_area(raster_polygon(Numbers{-kFar, -kFar, kFar, -kFar, kFar, kFar, -kFar, kFar},
                                     300, 400)),
            300 * 400);
  EXPECT_EQ(mask_area(raster_polygon(Numbers{-kFar, -kFar, kFar, kFar, -kFar, kFar}, 300, 300)),
            300 * 301 / 2);
  // A line across the image and back 20,000 times. Its crossings cancel, so nothing remains.
  Numbers zigzag;
  for (int i = 0; i < 20'000; ++i) zigzag.insert(zigzag.end(), {-1, 5, 101, 5});
  EXPECT_EQ(raster_polygon(zigzag, 10, 100), empty_mask(10, 100));
  EXPECT_LT(watch.seconds(), 5);
}

}  // namespace
}  // namespace fcm::image
