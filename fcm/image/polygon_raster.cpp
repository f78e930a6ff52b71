#include "fcm/image/polygon_raster.h"

#include <algorithm>
#include <cmath>

#include "fcm/base/error.h"

namespace fcm::image {
namespace {

constexpr int64_t kFifths = 5;
constexpr double kFarthest = 4e8;

struct GridPoint {  // in fifths of a pixel
  int64_t x, y;
};

// Truncates towards zero, so negative numbers are rounded up.
int64_t truncated(double value) { return static_cast<int64_t>(value); }

// Collects the positions where the outline toggles pixels. COCO's rule walks along each edge in
// steps of a fifth of a pixel along its longer axis, with the other coordinate rounded to the line.
// Wherever the walk passes from X = 5 c + 2 to 5 c + 3 (the middle of column c), it toggles all
// pixels of that column from the smaller of the two Y downwards. This class computes those steps
// directly, without walking.
class OutlineChanges {
 public:
  OutlineChanges(int64_t rows, int64_t cols) : rows_(rows), cols_(cols) {}

  void add_edge(GridPoint from, GridPoint to) {
    const int64_t width = std::abs(to.x - from.x), height = std::abs(to.y - from.y);
    const bool along_x = width >= height;
    if (along_x ? from.x > to.x : from.y > to.y) std::swap(from, to);
    if (along_x) {
      add_flat_edge(from, to);
    } else {
      add_steep_edge(from, to);
    }
    // Positions toggled twice cancel out. Cancelling them whenever the list has doubled bounds it
    // by the size of the image.
    if (places_.size() > most_places_) {
      cancel_pairs();
      most_places_ = std::max(most_places_, 2 * places_.size());
    }
  }

  std::vector<int64_t>& places() { return places_; }

 private:
  // Columns c with low <= 5 c + 2 and 5 c + 3 <= high.
  template <class Visit>
  void for_columns(int64_t low, int64_t high, const Visit& visit) const {
    const int64_t first = low <= 2 ? 0 : (low + 2) / kFifths;
    const int64_t last = high < 3 ? -1 : std::min((high - 3) / kFifths, cols_ - 1);
    for (int64_t col = first; col <= last; ++col) visit(col);
  }

  void add_flat_edge(const GridPoint& from, const GridPoint& to) {
    if (from.x == to.x) return;
    const double slope = static_cast<double>(to.y - from.y) / static_cast<double>(to.x - from.x);
    const auto y_at = [&](int64_t x) {
      return truncated(static_cast<double>(from.y) + slope * static_cast<double>(x - from.x) + .5);
    };
    for_columns(from.x, to.x, [&](int64_t col) {
      const int64_t x = kFifths * col + 2;
      add_change(col, std::min(y_at(x), y_at(x + 1)));
    });
  }

  void add_steep_edge(const GridPoint& from, const GridPoint& to) {
    const int64_t steps = to.y - from.y;
    const double slope = static_cast<double>(to.x - from.x) / static_cast<double>(steps);
    const auto x_at = [&](int64_t step) {
      return truncated(static_cast<double>(from.x) + slope * static_cast<double>(step) + .5);
    };
    const int64_t begin = x_at(0), end = x_at(steps);
    for_columns(std::min(begin, end), std::max(begin, end), [&](int64_t col) {
      const int64_t x = kFifths * col + 2;
      int64_t before = 0,
              behind = steps;  // steps on either side of the column's middle; x_at is monotonic
      while (behind - before > 1) {
        const int64_t middle = before + (behind - before) / 2;
        ((x_at(middle) <= x) == (begin <= x) ? before : behind) = middle;
      }
      add_change(col, from.y + before);
    });
  }

  // Adds a change at the first pixel whose centre is not above y: row ceil((y - 2) / 5), clamped to
  // the image.
  void add_change(int64_t col, int64_t y) {
    const int64_t row = y <= 2 ? 0 : std::min((y + 2) / kFifths, rows_);
    places_.push_back(col * rows_ + row);
  }

  void cancel_pairs() {
    std::sort(places_.begin(), places_.end());
    size_t kept = 0;
    for (const int64_t place : places_) {
      if (kept > 0 && places_[kept - 1] == place) {
        --kept;
      } else {
        places_[kept++] = place;
      }
    }
    places_.resize(kept);
  }

  int64_t rows_, cols_;
  size_t most_places_ = 1 << 16;
  std::vector<int64_t> places_;
};

GridPoint grid_point(std::span<const double> xy, size_t point) {
  const double x = xy[2 * point], y = xy[2 * point + 1];
  if (!(std::abs(x) <= kFarthest && std::abs(y) <= kFarthest)) {
    fail(ExitCode::kData, "point {} of a polygon is at ({}, {}), expected finite numbers up to {}",
         point, x, y, kFarthest);
  }
  return {truncated(kFifths * x + .5), truncated(kFifths * y + .5)};
}

}  // namespace

RunLengths raster_polygon(std::span<const double> xy, int64_t rows, int64_t cols) {
  RunLengths none = empty_mask(rows, cols);  // refuses a bad size first
  if (xy.size() % 2 != 0) {
    fail(ExitCode::kData, "a polygon has {} numbers, expected pairs of x and y", xy.size());
  }
  const size_t points = xy.size() / 2;
  if (points == 0) return none;
  OutlineChanges outline(rows, cols);
  const GridPoint first = grid_point(xy, 0);
  GridPoint here = first;
  for (size_t point = 1; point < points; ++point) {
    const GridPoint next = grid_point(xy, point);
    outline.add_edge(here, next);
    here = next;
  }
  outline.add_edge(here, first);
  return run_lengths_of_changes(outline.places(), rows, cols);
}

RunLengths raster_polygons(std::span<const std::vector<double>> parts, int64_t rows, int64_t cols) {
  std::vector<RunLengths> masks;
  for (const std::vector<double>& part : parts) masks.push_back(raster_polygon(part, rows, cols));
  return unite_masks(masks);
}

}  // namespace fcm::image
