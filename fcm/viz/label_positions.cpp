#include "fcm/viz/label_positions.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include "fcm/base/error.h"

namespace fcm::viz {
namespace {

constexpr int64_t kGridStep = 4;  // pixels between the positions tried over the whole image

// Pixels of `place` covered by others.
int64_t covered(const image::Box& place, const std::vector<image::Box>& others) {
  int64_t pixels = 0;
  for (const image::Box& other : others) {
    const int64_t rows =
        std::min(place.top + place.rows, other.top + other.rows) - std::max(place.top, other.top);
    const int64_t cols = std::min(place.left + place.cols, other.left + other.cols) -
                         std::max(place.left, other.left);
    if (rows > 0 && cols > 0) pixels += rows * cols;
  }
  return pixels;
}

// Squared distance of a label from its box: 0 if they touch.
int64_t distance(const image::Box& a, const image::Box& b) {
  const int64_t rows = std::max<int64_t>({0, a.top - (b.top + b.rows), b.top - (a.top + a.rows)});
  const int64_t cols =
      std::max<int64_t>({0, a.left - (b.left + b.cols), b.left - (a.left + a.cols)});
  return rows * rows + cols * cols;
}

struct Search {
  const image::Box& box;
  FittedSize label, image;
  const std::vector<image::Box>& taken;
  image::Box best{};
  int64_t least = std::numeric_limits<int64_t>::max();  // pixels that `best` covers

  // Whether the position is free. Remembers the position if it is the best so far. A label that is
  // partly left or right of the image is shifted into it.
  bool takes(int64_t top, int64_t left) {
    if (top < 0 || top + label.rows > image.rows) return false;
    const int64_t most = std::max<int64_t>(0, image.cols - label.cols);
    const image::Box place{top, std::clamp<int64_t>(left, 0, most), label.rows, label.cols};
    const int64_t pixels = covered(place, taken);
    if (pixels < least) {
      least = pixels;
      best = place;
    }
    return pixels == 0;
  }

  bool at_corners() {
    const int64_t right = box.left + box.cols - label.cols, bottom = box.top + box.rows;
    for (const int64_t left : {box.left, right}) {
      for (const int64_t top : {box.top - label.rows, box.top, bottom, bottom - label.rows}) {
        if (takes(top, left)) return true;
      }
    }
    return false;
  }

  bool beside() {
    for (int64_t top = box.top; top + label.rows <= box.top + box.rows; top += label.rows) {
      if (box.left + box.cols + label.cols <= image.cols && takes(top, box.left + box.cols)) {
        return true;
      }
      if (box.left >= label.cols && takes(top, box.left - label.cols)) return true;
    }
    return false;
  }

  // Finds the free position nearest to the box; of equally near ones the uppermost, then leftmost.
  bool anywhere() {
    std::optional<image::Box> nearest;
    for (int64_t top = 0; top + label.rows <= image.rows; top += kGridStep) {
      for (int64_t left = 0; left + label.cols <= image.cols; left += kGridStep) {
        const image::Box place{top, left, label.rows, label.cols};
        if (nearest && distance(place, box) >= distance(*nearest, box)) continue;
        if (takes(top, left)) nearest = place;
      }
    }
    if (nearest) best = *nearest;
    return nearest.has_value();
  }
};

}  // namespace

std::vector<image::Box> place_labels(const std::vector<image::Box>& boxes,
                                     const std::vector<FittedSize>& labels,
                                     const FittedSize& image) {
  require(boxes.size() == labels.size(), "expected a label for each of {} boxes, got {}",
          boxes.size(), labels.size());
  std::vector<image::Box> taken;
  for (size_t i = 0; i < boxes.size(); ++i) {
    Search search{boxes[i], labels[i], image, taken, {0, 0, labels[i].rows, labels[i].cols}};
    if (!search.at_corners() && !search.beside()) search.anywhere();
    taken.push_back(search.best);
  }
  return taken;
}

}  // namespace fcm::viz
