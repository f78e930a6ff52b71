#include "fcm/image/opencv_resize.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "fcm/base/error.h"

namespace fcm::image {
namespace {

constexpr float kOne = 2048;  // weights are 11-bit fixed point

// Source pixels per output pixel. OpenCV computes it as the reciprocal of the inverse ratio.
double step_of(int64_t from, int64_t to) {
  return 1.0 / (static_cast<double>(to) / static_cast<double>(from));
}

// An output position between source pixels `first` and first + 1. `first` may be -1 or from - 1,
// where one of the two does not exist.
struct LinearTap {
  int64_t first;
  float share;  // weight of source pixel first + 1
};

LinearTap linear_tap(int64_t from, int64_t to, int64_t place) {
  const auto at = static_cast<float>((static_cast<double>(place) + 0.5) * step_of(from, to) - 0.5);
  const float whole = std::floor(at);
  return {static_cast<int64_t>(whole), at - whole};
}

int16_t weight_of(float share) { return static_cast<int16_t>(std::lrint(share * kOne)); }

// If both sides are exactly halved, OpenCV takes the mean of four pixels instead.
bool halves(const Resizing& r) {
  return r.from_rows == 2 * r.to_rows && r.from_cols == 2 * r.to_cols;
}

bool keeps_size(const Resizing& r) { return r.from_rows == r.to_rows && r.from_cols == r.to_cols; }

struct Stretch {
  int64_t begin, end;
};

// Source pixels that outputs `first` .. `first + count - 1` depend on, along one axis.
Stretch source_of(int64_t from, int64_t to, int64_t first, int64_t count) {
  const int64_t begin = linear_tap(from, to, first).first;
  const int64_t end = linear_tap(from, to, first + count - 1).first + 2;
  return {std::clamp<int64_t>(begin, 0, from - 1), std::clamp<int64_t>(end, 1, from)};
}

void check_window(const Resizing& r, const Box& window) {
  require(r.from_rows > 0 && r.from_cols > 0 && window.rows > 0 && window.cols > 0 &&
              window.top >= 0 && window.left >= 0 && window.top + window.rows <= r.to_rows &&
              window.left + window.cols <= r.to_cols,
          "resize: window {}x{} at ({}, {}) must lie inside {}x{}, resized from {}x{}", window.rows,
          window.cols, window.top, window.left, r.to_rows, r.to_cols, r.from_rows, r.from_cols);
}

// The two source neighbours of an output column (byte offsets from the row's beginning) and their
// weights.
struct ColumnTap {
  int32_t first, second;
  int16_t of_first, of_second;
};

std::vector<ColumnTap> column_taps(const Resizing& r, const Box& window, int64_t left,
                                   int64_t channels) {
  std::vector<ColumnTap> taps(static_cast<size_t>(window.cols));
  for (int64_t x = 0; x < window.cols; ++x) {
    LinearTap tap = linear_tap(r.from_cols, r.to_cols, window.left + x);
    if (tap.first < 0 || tap.first >= r.from_cols - 1) {
      tap = {std::clamp<int64_t>(tap.first, 0, r.from_cols - 1), 0};
    }
    const int64_t next = std::min(tap.first + 1, r.from_cols - 1);
    // The second neighbour of a clamped column has weight 0 and may lie outside the held pixels.
    const int64_t second = tap.share == 0 ? tap.first : next;
    taps[static_cast<size_t>(x)] = {static_cast<int32_t>((tap.first - left) * channels),
                                    static_cast<int32_t>((second - left) * channels),
                                    weight_of(1 - tap.share), weight_of(tap.share)};
  }
  return taps;
}

// Horizontal pass over a source row: drops the last four bits of the 19-bit sums, as the vertical
// pass expects.
template <int kChannels>
void resize_across(const uint8_t* row, const std::vector<ColumnTap>& taps, int16_t* out) {
  for (const ColumnTap& tap : taps) {
    for (int c = 0; c < kChannels; ++c) {
      const int sum = row[tap.first + c] * tap.of_first + row[tap.second + c] * tap.of_second;
      *out++ = static_cast<int16_t>(sum >> 4);
    }
  }
}

// Vertical pass: combines two horizontally resized rows into a row of bytes. Blocks of a fixed size
// let the compiler vectorise the loop.
void resize_down(const int16_t* above, const int16_t* below, int of_above, int of_below,
                 int64_t count, uint8_t* out) {
  constexpr int kBlock = 32;
  const auto a = static_cast<int16_t>(of_above), b = static_cast<int16_t>(of_below);
  const auto mix = [a, b](int16_t one, int16_t other) {
    const auto first = static_cast<int16_t>((one * a) >> 16);
    const auto second = static_cast<int16_t>((other * b) >> 16);
    return static_cast<uint8_t>(static_cast<int16_t>(first + second + 2) >> 2);
  };
  int64_t at = 0;
  for (; at + kBlock <= count; at += kBlock) {
    uint8_t block[kBlock];
    for (int i = 0; i < kBlock; ++i) block[i] = mix(above[at + i], below[at + i]);
    std::memcpy(out + at, block, kBlock);
  }
  for (; at < count; ++at) out[at] = mix(above[at], below[at]);
}

// Caches the last two horizontally resized rows, which neighbouring output rows share.
class ResizedRowCache {
 public:
  ResizedRowCache(const uint8_t* first_row, int64_t stride, int64_t channels,
                  const std::vector<ColumnTap>& taps)
      : first_row_(first_row), stride_(stride), channels_(channels), taps_(taps) {
    for (Row& row : rows_) row.values.resize(taps.size() * static_cast<size_t>(channels));
  }

  // The horizontally resized `row`. Does not evict row `other`, which the caller uses with it.
  const int16_t* get(int64_t row, int64_t other) {
    for (const Row& held : rows_) {
      if (held.number == row) return held.values.data();
    }
    Row& replaced = rows_[rows_[0].number == other ? 1 : 0];
    replaced.number = row;
    const uint8_t* const from = first_row_ + row * stride_;
    channels_ == 3 ? resize_across<3>(from, taps_, replaced.values.data())
                   : resize_across<1>(from, taps_, replaced.values.data());
    return replaced.values.data();
  }

 private:
  struct Row {
    int64_t number = -1;
    std::vector<int16_t> values;
  };
  const uint8_t* first_row_;
  int64_t stride_, channels_;
  const std::vector<ColumnTap>& taps_;
  Row rows_[2];
};

// Source pixels in memory, which begin at (top, left) of the image.
struct Held {
  const uint8_t* first;
  int64_t stride;
  int64_t top, left;
  const uint8_t* at(int64_t row, int64_t col, int64_t channels) const {
    return first + (row - top) * stride + (col - left) * channels;
  }
};

void halve(const Held& held, int64_t channels, const Box& window, uint8_t* out) {
  for (int64_t y = window.top; y < window.top + window.rows; ++y) {
    for (int64_t x = window.left; x < window.left + window.cols; ++x) {
      const uint8_t* const above = held.at(2 * y, 2 * x, channels);
      const uint8_t* const below = above + held.stride;
      for (int64_t c = 0; c < channels; ++c) {
        const int sum = above[c] + above[c + channels] + below[c] + below[c + channels];
        *out++ = static_cast<uint8_t>((sum + 2) >> 2);
      }
    }
  }
}

}  // namespace

Box linear_source(const Resizing& r, const Box& window) {
  check_window(r, window);
  if (keeps_size(r)) return window;
  const Stretch rows = source_of(r.from_rows, r.to_rows, window.top, window.rows);
  const Stretch cols = source_of(r.from_cols, r.to_cols, window.left, window.cols);
  return {rows.begin, cols.begin, rows.end - rows.begin, cols.end - cols.begin};
}

void resize_linear(const Resizing& r, const Image& image, const Box& shown, const Box& window,
                   uint8_t* out) {
  Box place = linear_source(r, window);
  const int64_t channels = image.channels;
  if (shown.rows == r.from_rows && shown.cols == r.from_cols) {
    place = {0, 0, r.from_rows, r.from_cols};
  }
  require(shown.rows == place.rows && shown.cols == place.cols && shown.top >= 0 &&
              shown.left >= 0 && shown.top + shown.rows <= image.rows &&
              shown.left + shown.cols <= image.cols && (channels == 1 || channels == 3),
          "resize_linear: {}x{} pixels of {} channels at ({}, {}) of {}x{}, expected {}x{} inside, "
          "and 1 or 3 channels",
          shown.rows, shown.cols, channels, shown.top, shown.left, image.rows, image.cols,
          place.rows, place.cols);
  const int64_t stride = image.cols * channels;
  const Held held{image.pixels.data() + shown.top * stride + shown.left * channels, stride,
                  place.top, place.left};
  const int64_t bytes = window.cols * channels;
  if (keeps_size(r)) {
    for (int64_t y = 0; y < window.rows; ++y) {
      std::memcpy(out + y * bytes, held.at(window.top + y, window.left, channels),
                  static_cast<size_t>(bytes));
    }
    return;
  }
  if (halves(r)) return halve(held, channels, window, out);
  const std::vector<ColumnTap> taps = column_taps(r, window, place.left, channels);
  ResizedRowCache across(held.first, stride, channels, taps);
  for (int64_t y = 0; y < window.rows; ++y, out += bytes) {
    const LinearTap tap = linear_tap(r.from_rows, r.to_rows, window.top + y);
    const int64_t above = std::clamp<int64_t>(tap.first, 0, r.from_rows - 1) - place.top;
    const int64_t below = std::clamp<int64_t>(tap.first + 1, 0, r.from_rows - 1) - place.top;
    const int16_t* const first = across.get(above, below);
    resize_down(first, across.get(below, above), weight_of(1 - tap.share), weight_of(tap.share),
                bytes, out);
  }
}

Image resize_linear(const Image& image, int64_t rows, int64_t cols) {
  Image result{rows, cols, image.channels, {}};
  result.pixels.resize(static_cast<size_t>(rows * cols * image.channels));
  resize_linear({image.rows, image.cols, rows, cols}, image, {0, 0, image.rows, image.cols},
                {0, 0, rows, cols}, result.pixels.data());
  return result;
}

void resize_nearest(const Resizing& r, const uint8_t* map, const Box& window, uint8_t* out) {
  check_window(r, window);
  const auto source = [](int64_t from, int64_t to, int64_t place) {
    const double at = std::floor(static_cast<double>(place) * step_of(from, to));
    return std::min(static_cast<int64_t>(at), from - 1);
  };
  std::vector<int32_t> cols(static_cast<size_t>(window.cols));
  for (int64_t x = 0; x < window.cols; ++x) {
    cols[static_cast<size_t>(x)] =
        static_cast<int32_t>(source(r.from_cols, r.to_cols, window.left + x));
  }
  int64_t before = -1;
  for (int64_t y = 0; y < window.rows; ++y, out += window.cols) {
    const int64_t row = source(r.from_rows, r.to_rows, window.top + y);
    if (row == before) {
      std::memcpy(out, out - window.cols, cols.size());
      continue;
    }
    before = row;
    const uint8_t* const from = map + row * r.from_cols;
    for (size_t x = 0; x < cols.size(); ++x) out[x] = from[cols[x]];
  }
}

}  // namespace fcm::image
