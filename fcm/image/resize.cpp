#include <algorithm>
#include <cmath>
#include <cstring>

#include "fcm/base/error.h"
#include "fcm/base/processor.h"
#include "fcm/image/axis_weights.h"
#include "fcm/image/image.h"
#include "fcm/image/resize_kernels.h"
#include "fcm/image/resize_window.h"

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

// One axis of a resize from `source` to `target` pixels. Output pixels [first, first + count) are
// computed; source pixels [held_first, held_first + held) are in memory.
struct Axis {
  int64_t source;
  int64_t target;
  int64_t first;
  int64_t count;
  int64_t held_first;
  int64_t held;
  bool changes() const { return source != target; }
};

// The resampling filter of one axis. It is stretched when the axis shrinks (antialiasing) and keeps
// its width when the axis grows.
struct Filter {
  bool cubic;
  double scale, stretch, support;

  Filter(const Axis& axis, Interpolation interpolation)
      : cubic(interpolation == Interpolation::kBicubic),
        scale(static_cast<double>(axis.source) / static_cast<double>(axis.target)),
        stretch(std::max(scale, 1.0)),
        support((cubic ? 2.0 : 1.0) * stretch) {}

  double centre(int64_t output) const { return (static_cast<double>(output) + 0.5) * scale; }
  // The source pixels [begin, end) that contribute to an output pixel.
  int64_t begin(double centre_of_output) const {
    return std::max<int64_t>(0, static_cast<int64_t>(centre_of_output - support + 0.5));
  }
  int64_t end(double centre_of_output, int64_t source) const {
    return std::min(source, static_cast<int64_t>(centre_of_output + support + 0.5));
  }
};

AxisWeights make_weights(const Axis& axis, Interpolation interpolation) {
  const Filter filter(axis, interpolation);
  const double inverse = 1.0 / filter.stretch;
  const int64_t most = (static_cast<int64_t>(std::ceil(filter.support)) * 2 + 1 + 3) / 4 * 4;
  AxisWeights weights;
  weights.source = axis.held;
  weights.taps = most;
  const auto outputs = static_cast<size_t>(axis.count);
  weights.first.resize(outputs);
  weights.count.resize(outputs);
  weights.weight.resize(outputs * static_cast<size_t>(most));
  std::vector<double> exact(static_cast<size_t>(most));
  for (size_t i = 0; i < outputs; ++i) {
    const double centre = filter.centre(axis.first + static_cast<int64_t>(i));
    const int64_t begin = filter.begin(centre), end = filter.end(centre, axis.source);
    const auto count = static_cast<size_t>(end - begin);
    double sum = 0.0;
    for (size_t t = 0; t < count; ++t) {
      const auto position = static_cast<double>(begin) + static_cast<double>(t);
      const double at = (position - centre + 0.5) * inverse;
      exact[t] = filter.cubic ? bicubic(at) : bilinear(at);
      sum += exact[t];
    }
    weights.first[i] = static_cast<int32_t>(begin - axis.held_first);
    weights.count[i] = static_cast<int32_t>(count);
    int32_t* weight = weights.weight.data() + i * static_cast<size_t>(most);
    for (size_t t = 0; t < count; ++t) weight[t] = to_fixed(sum != 0.0 ? exact[t] / sum : exact[t]);
  }
  add_digits(weights);
  return weights;
}

const ResizeKernels& kernels() {
  static const ResizeKernels chosen = [] {
    const ProcessorClass processor = processor_class();
    if (processor >= ProcessorClass::kAvx512 && has_vnni()) return vnni_resize_kernels();
    if (processor >= ProcessorClass::kAvx2) return avx2_resize_kernels();
    return plain_resize_kernels();
  }();
  return chosen;
}

// Pillow 13 runs the vertical pass first if it removes many more pixels; older versions always run
// the horizontal pass first. The order affects the last bit, since pixels are rounded to 8 bits
// between the passes. The rule was inferred from Pillow's results.
bool vertical_first(const Axis& down, const Axis& across) {
  return down.source > down.target &&
         down.source - down.target > 2 * (across.source - across.target);
}

void mirror_rows(uint8_t* pixels, int64_t rows, int64_t cols, int64_t channels) {
  for (int64_t row = 0; row < rows; ++row, pixels += cols * channels) {
    for (int64_t left = 0, right = cols - 1; left < right; ++left, --right) {
      std::swap_ranges(pixels + left * channels, pixels + (left + 1) * channels,
                       pixels + right * channels);
    }
  }
}

// Copies rows densely, optionally mirrored.
void copy_rows(const uint8_t* source, int64_t stride, int64_t rows, int64_t cols, int64_t channels,
               bool mirror, uint8_t* out) {
  const int64_t bytes = cols * channels;
  for (int64_t row = 0; row < rows; ++row) {
    std::memcpy(out + row * bytes, source + row * stride, static_cast<size_t>(bytes));
  }
  if (mirror) mirror_rows(out, rows, cols, channels);
}

// Rows of pixels somewhere in memory; `stride` in bytes.
struct Rows {
  const uint8_t* first;
  int64_t stride;
};

void across_then_down(Rows source, int64_t channels, const AxisWeights& across, AxisWeights down,
                      bool mirror, uint8_t* out) {
  // Only the rows that the vertical pass reads are resized horizontally.
  const int32_t begin = down.first.front();
  const int64_t rows = down.first.back() + down.count.back() - begin;
  for (int32_t& first : down.first) first -= begin;
  const auto bytes = static_cast<int64_t>(across.first.size()) * channels;
  std::vector<uint8_t> between(static_cast<size_t>(rows * bytes));
  kernels().horizontal(source.first + begin * source.stride, source.stride, rows, channels,
                       view(across), mirror, between.data());
  kernels().vertical(between.data(), bytes, bytes, view(down), out);
}

void down_then_across(Rows source, int64_t channels, int64_t source_cols, const AxisWeights& across,
                      const AxisWeights& down, bool mirror, uint8_t* out) {
  const int64_t bytes = source_cols * channels;
  const auto rows = static_cast<int64_t>(down.first.size());
  std::vector<uint8_t> between(static_cast<size_t>(rows * bytes));
  kernels().vertical(source.first, source.stride, bytes, view(down), between.data());
  kernels().horizontal(between.data(), bytes, rows, channels, view(across), mirror, out);
}

// As in Pillow, there is no pass over an axis whose size does not change.
void resample(Rows source, int64_t channels, const Axis& down, const Axis& across,
              Interpolation interpolation, bool mirror, uint8_t* out) {
  if (!down.changes()) source.first += (down.first - down.held_first) * source.stride;
  if (!across.changes()) source.first += (across.first - across.held_first) * channels;
  if (!down.changes() && !across.changes()) {
    copy_rows(source.first, source.stride, down.count, across.count, channels, mirror, out);
  } else if (!down.changes()) {
    kernels().horizontal(source.first, source.stride, down.count, channels,
                         view(make_weights(across, interpolation)), mirror, out);
  } else if (!across.changes()) {
    kernels().vertical(source.first, source.stride, across.count * channels,
                       view(make_weights(down, interpolation)), out);
    if (mirror) mirror_rows(out, down.count, across.count, channels);
  } else if (vertical_first(down, across)) {
    down_then_across(source, channels, across.held, make_weights(across, interpolation),
                     make_weights(down, interpolation), mirror, out);
  } else {
    across_then_down(source, channels, make_weights(across, interpolation),
                     make_weights(down, interpolation), mirror, out);
  }
}

// The axis of a source that is in memory completely.
Axis whole_axis(int64_t source, int64_t target, int64_t first, int64_t count) {
  return {source, target, first, count, 0, source};
}

struct Stretch {
  int64_t first, count;
};
Stretch source_of(const Axis& axis, Interpolation interpolation) {
  if (!axis.changes()) return {axis.first, axis.count};
  const Filter filter(axis, interpolation);
  const int64_t begin = filter.begin(filter.centre(axis.first));
  const int64_t last = axis.first + axis.count - 1;
  return {begin, filter.end(filter.centre(last), axis.source) - begin};
}

bool inside(const Box& box, int64_t rows, int64_t cols) {
  return box.rows > 0 && box.cols > 0 && box.top >= 0 && box.left >= 0 &&
         box.top + box.rows <= rows && box.left + box.cols <= cols;
}

}  // namespace

bool has_vnni() { return can_run(ProcessorClass::kAvx512) && __builtin_cpu_supports("avx512vnni"); }

void crop_resize(const Image& source, Box box, int64_t rows, int64_t cols,
                 Interpolation interpolation, bool mirror, uint8_t* out) {
  require(rows > 0 && cols > 0 && inside(box, source.rows, source.cols),
          "crop_resize: box {}x{} at ({}, {}) must lie inside an image of {}x{}", box.rows,
          box.cols, box.top, box.left, source.rows, source.cols);
  const int64_t stride = source.cols * source.channels;
  const uint8_t* const corner =
      source.pixels.data() + box.top * stride + box.left * source.channels;
  resample({corner, stride}, source.channels, whole_axis(box.rows, rows, 0, rows),
           whole_axis(box.cols, cols, 0, cols), interpolation, mirror, out);
}

Box window_source(const Resizing& resizing, const Box& window, Interpolation interpolation) {
  require(inside(window, resizing.to_rows, resizing.to_cols),
          "window_source: window {}x{} at ({}, {}) must lie inside {}x{}", window.rows, window.cols,
          window.top, window.left, resizing.to_rows, resizing.to_cols);
  const Stretch down = source_of(
      whole_axis(resizing.from_rows, resizing.to_rows, window.top, window.rows), interpolation);
  const Stretch across = source_of(
      whole_axis(resizing.from_cols, resizing.to_cols, window.left, window.cols), interpolation);
  return {down.first, across.first, down.count, across.count};
}

void resize_window(const Resizing& resizing, const Section& section, const Box& window,
                   Interpolation interpolation, uint8_t* out) {
  const Image& image = section.image;
  const Box source = window_source(resizing, window, interpolation);
  require(section.box.rows == source.rows && section.box.cols == source.cols &&
              inside(section.box, image.rows, image.cols),
          "resize_window: got {}x{} pixels of the source, expected {}x{}", section.box.rows,
          section.box.cols, source.rows, source.cols);
  resample({image.pixels.data(), image.cols * image.channels}, image.channels,
           {resizing.from_rows, resizing.to_rows, window.top, window.rows,
            source.top - section.box.top, image.rows},
           {resizing.from_cols, resizing.to_cols, window.left, window.cols,
            source.left - section.box.left, image.cols},
           interpolation, false, out);
}

void resize_window(const Image& source, int64_t rows, int64_t cols, Box window,
                   Interpolation interpolation, uint8_t* out) {
  require(inside(window, rows, cols),
          "resize_window: window {}x{} at ({}, {}) must lie inside {}x{}", window.rows, window.cols,
          window.top, window.left, rows, cols);
  resample({source.pixels.data(), source.cols * source.channels}, source.channels,
           whole_axis(source.rows, rows, window.top, window.rows),
           whole_axis(source.cols, cols, window.left, window.cols), interpolation, false, out);
}

}  // namespace fcm::image
