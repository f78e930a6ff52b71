// The cells of a map that the bins of a box read, and their weights.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "fcm/ops/roi_align/kernel.h"

namespace fcm::ops {

constexpr double kFarthestRoiCell = 1 << 20;  // a box that reaches beyond this cell yields zeros

// The cells of one box; A: type of the coordinates.
template <class A>
class RoiTable {
 public:
  // box: x0, y0, x1, y1 in pixels of the image, for a map of rows x cols.
  void set(const A* box, A scale, int64_t bins, int64_t rows, int64_t cols) {
    bins_.clear();
    weights_.clear();
    bool usable = true;
    for (int i = 0; i < 4; ++i) {
      usable = usable && std::abs(box[i] * scale) <= static_cast<A>(kFarthestRoiCell);
    }
    add_axis(box[1], usable ? box[3] : box[1], scale, bins, rows);
    add_axis(box[0], usable ? box[2] : box[0], scale, bins, cols);
  }

  RoiCells<A> cells() const {
    return {bins_.data(), bins_.data() + bins_.size() / 2, weights_.data()};
  }

  // Rows of the map that are read: [first, end), empty if none.
  int64_t first_row() const { return extent().first; }
  int64_t end_row() const { return extent().second; }

 private:
  std::pair<int64_t, int64_t> extent() const {
    std::pair<int64_t, int64_t> rows{0, 0};
    for (size_t i = 0; i < bins_.size() / 2; ++i) {
      const RoiBin& bin = bins_[i];
      if (bin.count == 0) continue;
      if (rows.second == 0) rows.first = bin.first;
      rows.second = std::max(rows.second, bin.first + bin.count);
    }
    return rows;
  }

  void add_axis(A from, A to, A scale, int64_t bins, int64_t size) {
    const A begin = from * scale - A(0.5), end = to * scale - A(0.5);
    const A bin = (end - begin) / static_cast<A>(bins);
    const int64_t samples = bin > 0 ? static_cast<int64_t>(std::ceil(bin)) : 0;
    for (int64_t i = 0; i < bins; ++i) {
      RoiBin cells{0, 0, static_cast<int64_t>(weights_.size())};
      for (int64_t q = 0; q < samples; ++q) {
        const A at = begin + static_cast<A>(i) * bin +
                     (static_cast<A>(q) + A(0.5)) * bin / static_cast<A>(samples);
        if (at < -1 || at > static_cast<A>(size)) continue;
        add_sample(std::max(at, A(0)), size, cells);
      }
      for (int64_t k = 0; k < cells.count; ++k) {
        weights_[static_cast<size_t>(cells.weights + k)] /= static_cast<A>(samples);
      }
      bins_.push_back(cells);
    }
  }

  // Must be called in ascending order of a bin's samples.
  void add_sample(A at, int64_t size, RoiBin& cells) {
    const int64_t low = std::min(static_cast<int64_t>(at), size - 1);
    if (cells.count == 0) cells.first = low;
    if (low == size - 1) {
      weight_of(low, cells) += 1;
      return;
    }
    const A far = at - static_cast<A>(low);
    weight_of(low, cells) += 1 - far;
    weight_of(low + 1, cells) += far;
  }

  A& weight_of(int64_t cell, RoiBin& cells) {
    for (; cells.count <= cell - cells.first; ++cells.count) weights_.push_back(0);
    return weights_[static_cast<size_t>(cells.weights + cell - cells.first)];
  }

  std::vector<RoiBin> bins_;  // down, then across
  std::vector<A> weights_;
};

}  // namespace fcm::ops
