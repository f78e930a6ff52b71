#include "fcm/image/paste_mask.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/image/run_builder.h"

namespace fcm::image {
namespace {

// Pixels [begin, end) along one axis whose centres lie between values `low` and low + 1 of the
// square; low = -1 stands for the zero before the first value.
struct PasteStretch {
  int64_t low, begin, end;
};

// Pixels along one axis to which the square in a box contributes.
struct PasteAxis {
  int64_t begin = 0;
  std::vector<float> far;  // for each pixel from `begin` on, the weight of value low + 1
  std::vector<PasteStretch> stretches;  // ascending; they cover all pixels
};

PasteAxis paste_axis(float first, float last, int64_t side, int64_t pixels) {
  PasteAxis axis;
  const float length = last - first, numbers = static_cast<float>(side);
  // Probabilities are length / side pixels apart, and non-zero pixels lie at most half of that
  // outside the box. The rest of `around` leaves room for rounding.
  const double around = static_cast<double>(length) / static_cast<double>(side) + 1;
  const auto edge = [&](double place) {
    return static_cast<int64_t>(std::clamp(place, 0.0, static_cast<double>(pixels)));
  };
  axis.begin = edge(std::floor(first - around));
  const int64_t end = edge(std::ceil(last + around));
  for (int64_t pixel = axis.begin; pixel < end; ++pixel) {
    // Computed as upstream, through coordinates in [-1, 1].
    const float share = (static_cast<float>(pixel) + 0.5F - first) / length * 2.F - 1.F;
    const float place = (share + 1.F) * (numbers / 2.F) - 0.5F;
    if (!(place > -1.F && place < numbers)) {
      if (axis.far.empty()) axis.begin = pixel + 1;
      continue;
    }
    const auto low = static_cast<int64_t>(std::floor(place));
    axis.far.push_back(place - static_cast<float>(low));
    if (axis.stretches.empty() || axis.stretches.back().low != low) {
      axis.stretches.push_back({low, pixel, pixel});
    }
    axis.stretches.back().end = pixel + 1;
  }
  return axis;
}

// Calls visit(begin, end) for the row stretches of a pixel column that belong to the mask, in
// order. `column`: `side` values with a zero before and after.
template <class Visit>
void for_rows_inside(const PasteAxis& down, const std::vector<float>& column, float threshold,
                     const Visit& visit) {
  for (const PasteStretch& stretch : down.stretches) {
    const float above = column[static_cast<size_t>(stretch.low + 1)];
    const float below = column[static_cast<size_t>(stretch.low + 2)];
    // If both values are on the same side of the threshold by more than the rounding error, so are
    // all values between them.
    const float margin = 1e-5F * std::max({1.F, std::abs(above), std::abs(below)});
    if (above >= threshold + margin && below >= threshold + margin) {
      visit(stretch.begin, stretch.end);
      continue;
    }
    if (above < threshold - margin && below < threshold - margin) continue;
    for (int64_t row = stretch.begin; row < stretch.end; ++row) {
      const float far = down.far[static_cast<size_t>(row - down.begin)];
      if ((1.F - far) * above + far * below >= threshold) visit(row, row + 1);
    }
  }
}

bool has_sides(const std::array<float, 4>& box) {
  return std::ranges::all_of(box, [](float x) { return std::isfinite(x); }) && box[2] > box[0] &&
         box[3] > box[1];
}

}  // namespace

RunLengths paste_mask(std::span<const float> probability_SS, int64_t side,
                      const std::array<float, 4>& box, int64_t rows, int64_t cols,
                      double threshold) {
  require(side >= 1 && std::ssize(probability_SS) == side * side,
          "paste_mask: expected {} x {} probabilities, got {}", side, side, probability_SS.size());
  require(threshold > 0, "paste_mask: expected a threshold above 0, got {}", threshold);
  RunLengths mask = empty_mask(rows, cols);
  if (!has_sides(box)) return mask;
  const PasteAxis down = paste_axis(box[1], box[3], side, rows);
  const PasteAxis across = paste_axis(box[0], box[2], side, cols);
  mask.runs.clear();
  RunBuilder builder(mask.runs);
  int64_t done = 0;  // pixels so far, in COCO's order
  const auto number_at = [&](int64_t row, int64_t col) {
    if (col < 0 || col >= side) return 0.F;
    return probability_SS[static_cast<size_t>(row * side + col)];
  };
  std::vector<float> column(static_cast<size_t>(side + 2));
  for (const PasteStretch& stretch : across.stretches) {
    for (int64_t col = stretch.begin; col < stretch.end; ++col) {
      const float far = across.far[static_cast<size_t>(col - across.begin)];
      for (int64_t row = 0; row < side; ++row) {
        column[static_cast<size_t>(row + 1)] =
            (1.F - far) * number_at(row, stretch.low) + far * number_at(row, stretch.low + 1);
      }
      for_rows_inside(down, column, static_cast<float>(threshold), [&](int64_t begin, int64_t end) {
        builder.add(false, col * rows + begin - done);
        builder.add(true, end - begin);
        done = col * rows + end;
      });
    }
  }
  builder.add(false, rows * cols - done);
  return mask;
}

}  // namespace fcm::image
