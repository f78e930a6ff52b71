#include <algorithm>
#include <cmath>
#include <cstring>

#include "fcm/base/error.h"
#include "fcm/image/image.h"
#include "fcm/image/resize_kernels.h"

namespace fcm::image {
namespace {

double bilinear(double x) { return std::max(0.0, 1.0 - std::abs(x)); }

// Keys' cubic with a = -0.5.
double bicubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
  if (x < 2.0) return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
  return 0.0;
}

int32_t to_fixed(double weight) {
  const double scaled = weight * (1 << kWeightBits);
  return static_cast<int32_t>(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
}

// The filter is stretched when shrinking (antialiasing), never when enlarging.
AxisWeights make_weights(int64_t source, int64_t target, Interpolation interpolation) {
  const bool cubic = interpolation == Interpolation::kBicubic;
  const double scale = static_cast<double>(source) / static_cast<double>(target);
  const double stretch = std::max(scale, 1.0);
  const double support = (cubic ? 2.0 : 1.0) * stretch;
  const double inverse = 1.0 / stretch;
  const int64_t most = static_cast<int64_t>(std::ceil(support)) * 2 + 1;
  AxisWeights axis;
  axis.taps = (most + 3) / 4 * 4;
  const auto outputs = static_cast<size_t>(target);
  axis.first.resize(outputs);
  axis.count.resize(outputs);
  axis.weight.resize(outputs * static_cast<size_t>(axis.taps));
  std::vector<double> exact(static_cast<size_t>(most));
  for (size_t i = 0; i < outputs; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * scale;
    const auto first = std::max<int64_t>(0, static_cast<int64_t>(centre - support + 0.5));
    const auto end = std::min(source, static_cast<int64_t>(centre + support + 0.5));
    const auto count = static_cast<size_t>(end - first);
    double sum = 0.0;
    for (size_t t = 0; t < count; ++t) {
      const double at =
          (static_cast<double>(t) + static_cast<double>(first) - centre + 0.5) * inverse;
      exact[t] = cubic ? bicubic(at) : bilinear(at);
      sum += exact[t];
    }
    axis.first[i] = static_cast<int32_t>(first);
    axis.count[i] = static_cast<int32_t>(count);
    int32_t* weight = axis.weight.data() + i * static_cast<size_t>(axis.taps);
    for (size_t t = 0; t < count; ++t) weight[t] = to_fixed(sum != 0.0 ? exact[t] / sum : exact[t]);
  }
  return axis;
}

const ResizeKernels& kernels() {
  static const ResizeKernels chosen =
      __builtin_cpu_supports("avx2") ? avx2_resize_kernels() : plain_resize_kernels();
  return chosen;
}

void resize_across(const uint8_t* source, int64_t stride, int64_t rows, int64_t source_cols,
                   int64_t channels, int64_t cols, Interpolation interpolation, bool mirror,
                   uint8_t* out) {
  const AxisWeights weights = make_weights(source_cols, cols, interpolation);
  kernels().horizontal(source, stride, rows, channels, view(weights), mirror, out);
}

void resize_down(const uint8_t* source, int64_t stride, int64_t source_rows, int64_t bytes,
                 int64_t rows, Interpolation interpolation, uint8_t* out) {
  const AxisWeights weights = make_weights(source_rows, rows, interpolation);
  kernels().vertical(source, stride, bytes, view(weights), out);
}

// Pillow 13 starts with the pass that removes much more; before, it always went across first. The
// order shows in the last bit, as the pixels are rounded to 8 bits between the passes. The rule was
// found by observation.
bool vertical_first(Box box, int64_t rows, int64_t cols) {
  return box.rows > rows && box.rows - rows > 2 * (box.cols - cols);
}

void mirror_rows(uint8_t* pixels, int64_t rows, int64_t cols, int64_t channels) {
  for (int64_t row = 0; row < rows; ++row, pixels += cols * channels) {
    for (int64_t left = 0, right = cols - 1; left < right; ++left, --right) {
      std::swap_ranges(pixels + left * channels, pixels + (left + 1) * channels,
                       pixels + right * channels);
    }
  }
}

// Dense copy of rows, mirrored if asked.
void copy_rows(const uint8_t* source, int64_t stride, int64_t rows, int64_t cols, int64_t channels,
               bool mirror, uint8_t* out) {
  const int64_t bytes = cols * channels;
  for (int64_t row = 0; row < rows; ++row) {
    std::memcpy(out + row * bytes, source + row * stride, static_cast<size_t>(bytes));
  }
  if (mirror) mirror_rows(out, rows, cols, channels);
}

}  // namespace

void crop_resize(const Image& source, Box box, int64_t rows, int64_t cols,
                 Interpolation interpolation, bool mirror, uint8_t* out) {
  require(source.channels == 1 || source.channels == 3, "crop_resize: {} channels",
          source.channels);
  require(rows > 0 && cols > 0 && box.rows > 0 && box.cols > 0 && box.top >= 0 && box.left >= 0 &&
              box.top + box.rows <= source.rows && box.left + box.cols <= source.cols,
          "crop_resize: box {}x{} at ({}, {}) of a picture of {}x{}", box.rows, box.cols, box.top,
          box.left, source.rows, source.cols);
  const int64_t stride = source.cols * source.channels;
  const uint8_t* const corner =
      source.pixels.data() + box.top * stride + box.left * source.channels;
  const bool across = box.cols != cols, down = box.rows != rows;
  if (!across && !down) {
    copy_rows(corner, stride, rows, cols, source.channels, mirror, out);
  } else if (!down) {
    resize_across(corner, stride, box.rows, box.cols, source.channels, cols, interpolation, mirror,
                  out);
  } else if (!across) {
    resize_down(corner, stride, box.rows, cols * source.channels, rows, interpolation, out);
    if (mirror) mirror_rows(out, rows, cols, source.channels);
  } else if (vertical_first(box, rows, cols)) {
    const int64_t bytes = box.cols * source.channels;
    std::vector<uint8_t> between(static_cast<size_t>(rows * bytes));
    resize_down(corner, stride, box.rows, bytes, rows, interpolation, between.data());
    resize_across(between.data(), bytes, rows, box.cols, source.channels, cols, interpolation,
                  mirror, out);
  } else {
    const int64_t bytes = cols * source.channels;
    std::vector<uint8_t> between(static_cast<size_t>(box.rows * bytes));
    resize_across(corner, stride, box.rows, box.cols, source.channels, cols, interpolation, mirror,
                  between.data());
    resize_down(between.data(), bytes, box.rows, bytes, rows, interpolation, out);
  }
}

}  // namespace fcm::image
