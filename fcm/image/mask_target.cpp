#include "fcm/image/mask_target.h"

#include <algorithm>
#include <cmath>

#include "fcm/base/error.h"
#include "fcm/image/polygon_raster.h"
#include "fcm/image/run_builder.h"

namespace fcm::image {
namespace {

// Weights of the pixels along one axis in each bin: one row of `count` weights per bin, for the
// pixels from `first` on.
struct BinWeights {
  int64_t first = 0, count = 0;
  std::vector<double> weights_BP;

  const double* of_bin(int64_t bin) const { return weights_BP.data() + bin * count; }
};

// ROIAlign with an offset of half a pixel: `bins` bins from `low` to `high`, each with as many
// samples as it has pixels (rounded up), interpolated between the centres of `pixels` pixels. The
// 2-D mean over a bin's samples separates into one factor per axis, because the bilinear weights
// and the rule for samples outside are products.
BinWeights bin_weights(float low, float high, int64_t pixels, int64_t bins) {
  // Positions in single precision, as upstream.
  const float begin = low - 0.5F, size = ((high - 0.5F) - begin) / static_cast<float>(bins);
  const auto samples = static_cast<int64_t>(std::ceil(size));
  const auto low_pixel = static_cast<int64_t>(std::floor(std::max(low - 1.0F, 0.0F)));
  const auto last = static_cast<double>(pixels - 1);
  BinWeights weights;
  weights.first = std::min(low_pixel, pixels - 1);
  const auto end = static_cast<int64_t>(std::ceil(std::min(static_cast<double>(high) + 1, last)));
  weights.count = std::max<int64_t>(end - weights.first + 1, 1);
  weights.weights_BP.resize(static_cast<size_t>(bins * weights.count));
  for (int64_t bin = 0; bin < bins; ++bin) {
    double* const row = weights.weights_BP.data() + bin * weights.count;
    for (int64_t q = 0; q < samples; ++q) {
      double at = static_cast<double>(begin) + static_cast<double>(bin) * size +
                  (static_cast<double>(q) + 0.5) * size / static_cast<double>(samples);
      if (at < -1 || at > static_cast<double>(pixels)) continue;
      at = std::clamp(at, 0.0, last);
      const double below = std::floor(at), share = at - below;
      const int64_t pixel = static_cast<int64_t>(below) - weights.first;
      row[pixel] += (1 - share) / static_cast<double>(samples);
      if (share > 0) row[pixel + 1] += share / static_cast<double>(samples);
    }
  }
  return weights;
}

// Prefix sums of each bin's weights: entry p is the sum over its first p pixels.
std::vector<double> running_sums(const BinWeights& weights, int64_t bins) {
  std::vector<double> sums_BP;
  for (int64_t bin = 0; bin < bins; ++bin) {
    double sum = 0;
    sums_BP.push_back(0);
    for (int64_t p = 0; p < weights.count; ++p) sums_BP.push_back(sum += weights.of_bin(bin)[p]);
  }
  return sums_BP;
}

}  // namespace

std::vector<uint8_t> mask_target(std::span<const std::vector<double>> outlines,
                                 const std::array<float, 4>& box, int64_t side) {
  require(side > 0 && !outlines.empty(),
          "mask_target: expected outlines and a side above 0, got {} outlines and side {}",
          outlines.size(), side);
  constexpr double kThinnest = 0.1;
  const double x0 = box[0], y0 = box[1];
  const double width = box[2] - box[0], height = box[3] - box[1];  // subtracted in single precision
  const double across = static_cast<double>(side) / std::max(width, kThinnest);
  const double down = static_cast<double>(side) / std::max(height, kThinnest);
  std::vector<std::vector<double>> moved(outlines.begin(), outlines.end());
  for (std::vector<double>& xy : moved) {
    for (size_t i = 0; i + 1 < xy.size(); i += 2) {
      xy[i] = (xy[i] - x0) * across;
      xy[i + 1] = (xy[i + 1] - y0) * down;
    }
  }
  return decode_mask(raster_polygons(moved, side, side));
}

std::vector<uint8_t> mask_target(const RunLengths& mask, const std::array<float, 4>& box,
                                 int64_t side) {
  require(side > 0, "mask_target: expected a side above 0, got {}", side);
  // 1e-9 exceeds the rounding error of the sums, so a bin that is exactly half covered becomes 1.
  constexpr double kHalf = 0.5 - 1e-9;
  const BinWeights across = bin_weights(box[0], box[2], mask.cols, side);
  const BinWeights down = bin_weights(box[1], box[3], mask.rows, side);
  const std::vector<double> down_sums = running_sums(down, side);
  std::vector<double> shares(static_cast<size_t>(side * side)), column(static_cast<size_t>(side));
  int64_t col = -1;
  const auto add_column = [&] {
    if (col < 0) return;
    for (int64_t i = 0; i < side; ++i) {
      for (int64_t j = 0; j < side; ++j) {
        shares[static_cast<size_t>(i * side + j)] +=
            column[static_cast<size_t>(i)] * across.of_bin(j)[col - across.first];
      }
    }
    std::ranges::fill(column, 0);
  };
  for_object_rows(mask, across.first, std::min(across.first + across.count, mask.cols),
                  [&](int64_t next, int64_t begin, int64_t end) {
                    if (next != col) add_column();
                    col = next;
                    const int64_t low = std::clamp<int64_t>(begin - down.first, 0, down.count);
                    const int64_t high = std::clamp<int64_t>(end - down.first, 0, down.count);
                    for (int64_t i = 0; i < side; ++i) {
                      const double* const sums = down_sums.data() + i * (down.count + 1);
                      column[static_cast<size_t>(i)] += sums[high] - sums[low];
                    }
                  });
  add_column();
  std::vector<uint8_t> target;
  for (const double share : shares) target.push_back(share >= kHalf ? 1 : 0);
  return target;
}

}  // namespace fcm::image
