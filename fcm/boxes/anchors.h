// Anchors: boxes at every position of a pyramid's maps, from which proposals are predicted.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace fcm::boxes {

// Rows and columns of a feature map.
using MapSize = std::pair<int64_t, int64_t>;

// One side length and one stride per level, finest first; the defaults are detectron2's.
struct AnchorOptions {
  std::vector<int64_t> strides{4, 8, 16, 32, 64};    // pixels between two positions
  std::vector<double> sides{32, 64, 128, 256, 512};  // pixels: square root of the area
  std::vector<double> ratios{0.5, 1, 2};             // height / width
};

// Anchors of one position at (0, 0): float32 [ratios, 4]. Width is side / sqrt(ratio), height is
// ratio times that; no half-pixel offset (detectron2, DefaultAnchorGenerator, offset 0).
at::Tensor anchors_of_position(double side, const std::vector<double>& ratios);

// Anchors of all levels, concatenated.
struct FrameAnchors {
  at::Tensor boxes_A4;                  // float32; in the order level, row, column, ratio
  std::vector<int64_t> first_of_level;  // levels + 1 entries: level l is [first[l], first[l + 1])
};

// Computes the anchors of an image and caches them by map sizes and device.
class Anchors {
 public:
  explicit Anchors(AnchorOptions options = {});

  int64_t per_position() const { return static_cast<int64_t>(options_.ratios.size()); }
  // `maps` has one entry per stride. Position (x, y) of a level is centred on (x * stride, y *
  // stride); no anchor is clipped or dropped. Safe to call from several threads.
  FrameAnchors of(const std::vector<MapSize>& maps, at::Device device = at::kCPU) const;

 private:
  AnchorOptions options_;
  mutable std::mutex mutex_;
  mutable std::map<std::pair<std::vector<MapSize>, std::string>, FrameAnchors> made_;
};

}  // namespace fcm::boxes
