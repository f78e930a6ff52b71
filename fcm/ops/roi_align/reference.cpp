#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "fcm/ops/roi_align/cells.h"
#include "fcm/ops/roi_align/op.h"

namespace fcm::ops {
namespace {

// The cells that samples read, as three lists: index of the bin (over all boxes), index of the cell
// (over all images of a map), and weight.
struct RoiSamples {
  std::vector<int64_t> bins, cells;
  std::vector<double> weights;
};

template <class A>
struct SampledAxis {
  A begin, bin;
  int64_t samples, size;

  SampledAxis(A from, A to, A scale, int64_t bins, int64_t cells)
      : begin(from * scale - A(0.5)),
        bin((to * scale - A(0.5) - begin) / static_cast<A>(bins)),
        samples(static_cast<int64_t>(std::ceil(bin))),
        size(cells) {}

  A at(int64_t index, int64_t sample) const {
    return begin + static_cast<A>(index) * bin +
           (static_cast<A>(sample) + A(0.5)) * bin / static_cast<A>(samples);
  }
  bool is_inside(A place) const { return place >= -1 && place <= static_cast<A>(size); }
};

// The two cells next to a position, and the weight of the second.
template <class A>
struct BetweenCells {
  int64_t low, high;
  A far;

  BetweenCells(A place, int64_t size) {
    const A moved = std::max(place, A(0));
    low = std::min(static_cast<int64_t>(moved), size - 1);
    high = std::min(low + 1, size - 1);
    far = low == size - 1 ? 0 : moved - static_cast<A>(low);
  }
};

template <class A>
void add_bin(const SampledAxis<A>& down, const SampledAxis<A>& across, int64_t i, int64_t j,
             int64_t bin, int64_t first_cell, RoiSamples& to) {
  const auto count = static_cast<A>(std::max(down.samples * across.samples, int64_t{1}));
  for (int64_t r = 0; r < down.samples; ++r) {
    for (int64_t c = 0; c < across.samples; ++c) {
      const A y = down.at(i, r), x = across.at(j, c);
      if (!down.is_inside(y) || !across.is_inside(x)) continue;
      const BetweenCells<A> row(y, down.size), col(x, across.size);
      for (int corner = 0; corner < 4; ++corner) {
        const bool lower = corner / 2 == 1, right = corner % 2 == 1;
        to.bins.push_back(bin);
        to.cells.push_back(first_cell + (lower ? row.high : row.low) * across.size +
                           (right ? col.high : col.low));
        to.weights.push_back((lower ? row.far : 1 - row.far) * (right ? col.far : 1 - col.far) /
                             count);
      }
    }
  }
}

template <class A>
void add_roi(const at::Tensor& box_4, int64_t roi, int64_t image, double scale, int64_t bins,
             int64_t rows, int64_t cols, RoiSamples& to) {
  A box[4];
  for (int64_t i = 0; i < 4; ++i) {
    box[i] = static_cast<A>(box_4[i].item<double>());
    if (!(std::abs(box[i] * static_cast<A>(scale)) <= static_cast<A>(kFarthestRoiCell))) return;
  }
  const SampledAxis<A> down(box[1], box[3], static_cast<A>(scale), bins, rows);
  const SampledAxis<A> across(box[0], box[2], static_cast<A>(scale), bins, cols);
  for (int64_t i = 0; i < bins; ++i) {
    for (int64_t j = 0; j < bins; ++j) {
      add_bin(down, across, i, j, (roi * bins + i) * bins + j, image * rows * cols, to);
    }
  }
}

// Adds the weighted cells of a map to the bins.
at::Tensor with_samples(const at::Tensor& out_NC, const at::Tensor& map_BHWC,
                        const RoiSamples& samples) {
  const auto device = map_BHWC.device();
  const at::Tensor weights_S1 =
      at::tensor(samples.weights, at::kDouble).to(device, out_NC.scalar_type()).unsqueeze(1);
  const at::Tensor cells_SC = map_BHWC.reshape({-1, map_BHWC.size(3)})
                                  .index_select(0, at::tensor(samples.cells, at::kLong).to(device));
  return out_NC.index_add(0, at::tensor(samples.bins, at::kLong).to(device), cells_SC * weights_S1);
}

}  // namespace

at::Tensor roi_align_reference(const std::vector<at::Tensor>& maps_BHWC, const at::Tensor& boxes_R4,
                               const at::Tensor& image_R, const at::Tensor& level_R,
                               const std::vector<double>& scales, int64_t bins) {
  constexpr size_t kMostSamples = 1 << 16;  // in memory at once
  const auto type = maps_BHWC[0].scalar_type();
  const auto wide = type == at::kDouble ? at::kDouble : at::kFloat;
  const at::Tensor boxes = boxes_R4.detach().cpu(), images = image_R.cpu(), levels = level_R.cpu();
  const int64_t count = boxes.size(0), channels = maps_BHWC[0].size(3);
  at::Tensor out_NC =
      at::zeros({count * bins * bins, channels}, maps_BHWC[0].options().dtype(wide));
  for (size_t level = 0; level < maps_BHWC.size(); ++level) {
    const at::Tensor map = maps_BHWC[level].to(wide);
    RoiSamples samples;
    for (int64_t roi = 0; roi < count; ++roi) {
      if (levels[roi].item<int64_t>() != static_cast<int64_t>(level)) continue;
      const auto add = wide == at::kDouble ? add_roi<double> : add_roi<float>;
      add(boxes[roi], roi, images[roi].item<int64_t>(), scales[level], bins, map.size(1),
          map.size(2), samples);
      if (samples.cells.size() < kMostSamples) continue;
      out_NC = with_samples(out_NC, map, samples);
      samples = {};
    }
    out_NC = with_samples(out_NC, map, samples);
  }
  return out_NC.view({count, bins, bins, channels}).to(type);
}

}  // namespace fcm::ops
