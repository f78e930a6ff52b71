// The horizontal and the vertical pass of resizing in scalar loops: the reference. The vectorised
// files use them too: both for the horizontal pass of grey images, resize_avx2.cpp also for
// remainders. Each including file compiles them for its own instruction set. So everything here is
// in an unnamed namespace, and no function of a standard container is called: the linker could
// otherwise choose a copy of an inline function that was compiled for AVX2 for code that must run
// without AVX2.
#pragma once

#include <cstdint>

#include "fcm/image/resize_kernels.h"

namespace fcm::image {
namespace {

// One half in fixed point, added to a sum so that the right shift rounds.
constexpr int32_t kHalf = 1 << (kWeightBits - 1);

inline uint8_t to_byte(int32_t sum) {
  const int32_t value = sum >> kWeightBits;
  return static_cast<uint8_t>(value < 0 ? 0 : value > 255 ? 255 : value);
}

template <int kChannels>
void horizontal_row(const uint8_t* source, const AxisView& axis, bool mirror, uint8_t* out) {
  const int32_t* const weights = axis.weight;
  for (int64_t i = 0; i < axis.outputs; ++i) {
    const int32_t* const weight = weights + i * axis.taps;
    const uint8_t* pixel = source + axis.first[i] * kChannels;
    const int32_t count = axis.count[i];
    int32_t sums[kChannels];
    for (int32_t& sum : sums) sum = kHalf;
    for (int32_t t = 0; t < count; ++t, pixel += kChannels) {
      for (int c = 0; c < kChannels; ++c) sums[c] += weight[t] * pixel[c];
    }
    uint8_t* const to = out + (mirror ? axis.outputs - 1 - i : i) * kChannels;
    for (int c = 0; c < kChannels; ++c) to[c] = to_byte(sums[c]);
  }
}

void horizontal_rows(const uint8_t* source, int64_t stride, int64_t rows, int64_t channels,
                     const AxisView& axis, bool mirror, uint8_t* out) {
  for (int64_t row = 0; row < rows; ++row) {
    if (channels == 3) {
      horizontal_row<3>(source, axis, mirror, out);
    } else {
      horizontal_row<1>(source, axis, mirror, out);
    }
    source += stride;
    out += axis.outputs * channels;
  }
}

// For three channels calls rgb(four rows, number of valid rows, axis, mirror, out) for four rows at
// a time; the first row stands in for missing ones. Other images take the scalar loops.
template <class Rgb>
void horizontal_by_fours(const uint8_t* source, int64_t stride, int64_t rows, int64_t channels,
                         const AxisView& axis, bool mirror, uint8_t* out, const Rgb& rgb) {
  if (channels != 3) return horizontal_rows(source, stride, rows, channels, axis, mirror, out);
  for (int64_t row = 0; row < rows; row += 4) {
    const int64_t kept = rows - row < 4 ? rows - row : 4;
    const uint8_t* from[4];
    for (int64_t k = 0; k < 4; ++k) from[k] = source + (row + (k < kept ? k : 0)) * stride;
    rgb(from, kept, axis, mirror, out + row * axis.outputs * 3);
  }
}

// Computes kBytes neighbouring bytes of one output row; their sums stay in registers over all taps.
template <int kBytes>
void vertical_block(const uint8_t* source, int64_t stride, const int32_t* weight, int32_t count,
                    uint8_t* out) {
  int32_t sums[kBytes];
  for (int32_t& sum : sums) sum = kHalf;
  for (int32_t t = 0; t < count; ++t, source += stride) {
    for (int i = 0; i < kBytes; ++i) sums[i] += weight[t] * source[i];
  }
  for (int i = 0; i < kBytes; ++i) out[i] = to_byte(sums[i]);
}

[[maybe_unused]] void vertical_rows(const uint8_t* source, int64_t stride, int64_t bytes,
                                    const AxisView& axis, uint8_t* out) {
  constexpr int kBlock = 32;
  for (int64_t row = 0; row < axis.outputs; ++row, out += bytes) {
    const int32_t* const weight = axis.weight + row * axis.taps;
    const uint8_t* const from = source + axis.first[row] * stride;
    const int32_t count = axis.count[row];
    int64_t at = 0;
    for (; at + kBlock <= bytes; at += kBlock) {
      vertical_block<kBlock>(from + at, stride, weight, count, out + at);
    }
    for (; at < bytes; ++at) vertical_block<1>(from + at, stride, weight, count, out + at);
  }
}

}  // namespace
}  // namespace fcm::image
