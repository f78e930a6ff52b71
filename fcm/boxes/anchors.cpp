#include "fcm/boxes/anchors.h"

#include <ATen/ATen.h>

#include <cmath>

#include "fcm/base/error.h"

namespace fcm::boxes {
namespace {

// Images to predict on may have any size, so the cache is bounded: when it is full, it is cleared.
constexpr size_t kSizesKept = 8;

// [rows * columns * ratios, 4]
at::Tensor anchors_of_level(const MapSize& map, int64_t stride, const at::Tensor& of_position_R4) {
  const auto centres = [&](int64_t count) {
    return at::arange(count, at::kFloat) * static_cast<double>(stride);
  };
  const at::Tensor x = centres(map.second).view({1, -1, 1}),
                   y = centres(map.first).view({-1, 1, 1});
  const auto edges = [&](int64_t side) {
    const at::Tensor centre = side % 2 == 0 ? x : y;
    return (centre + of_position_R4.select(1, side)).expand({map.first, map.second, -1});
  };
  return at::stack({edges(0), edges(1), edges(2), edges(3)}, 3).view({-1, 4});
}

FrameAnchors make_anchors(const AnchorOptions& options, const std::vector<MapSize>& maps,
                          at::Device device) {
  FrameAnchors frame;
  frame.first_of_level = {0};
  std::vector<at::Tensor> levels;
  for (size_t level = 0; level < maps.size(); ++level) {
    levels.push_back(anchors_of_level(maps[level], options.strides[level],
                                      anchors_of_position(options.sides[level], options.ratios)));
    frame.first_of_level.push_back(frame.first_of_level.back() + levels.back().size(0));
  }
  frame.boxes_A4 = at::cat(levels).to(device);
  return frame;
}

}  // namespace

at::Tensor anchors_of_position(double side, const std::vector<double>& ratios) {
  at::Tensor anchors_R4 = at::empty({static_cast<int64_t>(ratios.size()), 4}, at::kFloat);
  auto* out = anchors_R4.mutable_data_ptr<float>();
  for (const double ratio : ratios) {
    const double width = std::sqrt(side * side / ratio), height = ratio * width;
    for (const double edge : {-width / 2, -height / 2, width / 2, height / 2}) {
      *out++ = static_cast<float>(edge);
    }
  }
  return anchors_R4;
}

Anchors::Anchors(AnchorOptions options) : options_(std::move(options)) {
  require(options_.strides.size() == options_.sides.size() && !options_.ratios.empty(),
          "anchors: expected as many strides as sides, and one ratio or more, got {}, {} and {}",
          options_.strides.size(), options_.sides.size(), options_.ratios.size());
}

FrameAnchors Anchors::of(const std::vector<MapSize>& maps, at::Device device) const {
  require(maps.size() == options_.strides.size(), "anchors: got {} maps, expected {}", maps.size(),
          options_.strides.size());
  const auto key = std::pair(maps, device.str());
  const std::lock_guard lock(mutex_);
  const auto found = made_.find(key);
  if (found != made_.end()) return found->second;
  if (made_.size() == kSizesKept) made_.clear();
  return made_.emplace(key, make_anchors(options_, maps, device)).first->second;
}

}  // namespace fcm::boxes
