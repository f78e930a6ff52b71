// The horizontal and the vertical pass of resizing with AVX2. vpmaddwd multiplies pairs of 16-bit
// integers and adds the two products. Each weight is split: high * 256 + low, with low in 0 .. 255
// and high within 16 bits. Each part has its own partial sum; shifted and added, the two give
// exactly the sum of the scalar loops of resize_passes.h.
#include <immintrin.h>

#include "fcm/image/resize_passes.h"

namespace fcm::image {
namespace {

constexpr int kLowBits = 8;

struct Sums {
  __m256i low = _mm256_set1_epi32(kHalf), high = _mm256_setzero_si256();

  // Each 32-bit lane holds two 16-bit pixels, or one part of the weights of these two pixels.
  void add(__m256i pixels, __m256i low_weights, __m256i high_weights) {
    low = _mm256_add_epi32(low, _mm256_madd_epi16(pixels, low_weights));
    high = _mm256_add_epi32(high, _mm256_madd_epi16(pixels, high_weights));
  }
  // Not yet clamped to 0 .. 255.
  __m256i values() const {
    return _mm256_srai_epi32(_mm256_add_epi32(low, _mm256_slli_epi32(high, kLowBits)), kWeightBits);
  }
};

__m256i to_bytes(const __m256i* values) {
  return _mm256_packus_epi16(_mm256_packs_epi32(values[0], values[1]),
                             _mm256_packs_epi32(values[2], values[3]));
}

// Loads 16 bytes from each of two rows; only the first `left` bytes are read, the rest are 0.
__m256i load_rows(const uint8_t* upper, const uint8_t* lower, int64_t left) {
  if (left >= 16) {
    return _mm256_loadu2_m128i(reinterpret_cast<const __m128i*>(lower),
                               reinterpret_cast<const __m128i*>(upper));
  }
  alignas(32) uint8_t copy[32] = {};
  __builtin_memcpy(copy, upper, static_cast<size_t>(left));
  __builtin_memcpy(copy + 16, lower, static_cast<size_t>(left));
  return _mm256_load_si256(reinterpret_cast<const __m256i*>(copy));
}

// Computes output pixel i of four rows, as (red, green, blue, 0) per row: rows 0 and 1 in `upper`,
// rows 2 and 3 in `lower`.
void rgb_of_four_rows(const uint8_t* const* rows, const AxisView& axis, int64_t i, __m256i& upper,
                      __m256i& lower) {
  // These shuffles take the first or last two of four pixels RGB RGB RGB RGB, grouped by channel.
  const __m256i first_two = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1));
  const __m256i last_two = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1));
  const int32_t* weight = axis.weight + i * axis.taps;
  int64_t at = int64_t{3} * axis.first[i], left = 3 * axis.source - at;
  Sums sums[2];
  for (int32_t t = 0; t < axis.count[i]; t += 4, at += 12, left -= 12, weight += 4) {
    const __m128i whole = _mm_loadu_si128(reinterpret_cast<const __m128i*>(weight));
    const __m256i parts = _mm256_broadcastsi128_si256(_mm_packs_epi32(
        _mm_and_si128(whole, _mm_set1_epi32(255)), _mm_srai_epi32(whole, kLowBits)));
    for (int k = 0; k < 2; ++k) {
      const __m256i pixels = load_rows(rows[2 * k] + at, rows[2 * k + 1] + at, left);
      sums[k].add(_mm256_shuffle_epi8(pixels, first_two), _mm256_shuffle_epi32(parts, 0x00),
                  _mm256_shuffle_epi32(parts, 0xAA));
      sums[k].add(_mm256_shuffle_epi8(pixels, last_two), _mm256_shuffle_epi32(parts, 0x55),
                  _mm256_shuffle_epi32(parts, 0xFF));
    }
  }
  upper = sums[0].values();
  lower = sums[1].values();
}

// Resizes four rows of RGB; only the first `rows` are stored.
void horizontal_rgb(const uint8_t* const* from, int64_t rows, const AxisView& axis, bool mirror,
                    uint8_t* out) {
  const __m256i dense = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1));
  const int64_t last = axis.outputs - 1;
  for (int64_t first = 0; first <= last; first += 4) {
    __m256i upper[4], lower[4];
    for (int64_t k = 0; k < 4; ++k) {
      const int64_t place = first + k < last ? first + k : last;
      rgb_of_four_rows(from, axis, mirror ? last - place : place, upper[k], lower[k]);
    }
    alignas(32) uint8_t pixels[4][16];
    const auto pack = [&](const __m256i* values, uint8_t* to) {
      _mm256_store_si256(reinterpret_cast<__m256i*>(to),
                         _mm256_shuffle_epi8(to_bytes(values), dense));
    };
    pack(upper, pixels[0]);
    pack(lower, pixels[2]);
    const int64_t kept = last - first + 1 < 4 ? last - first + 1 : 4;
    for (int64_t row = 0; row < rows; ++row) {
      uint8_t* const to = out + (row * axis.outputs + first) * 3;
      if (kept == 4) {
        __builtin_memcpy(to, pixels[row], 12);
      } else {
        __builtin_memcpy(to, pixels[row], static_cast<size_t>(3 * kept));
      }
    }
  }
}

void horizontal(const uint8_t* source, int64_t stride, int64_t rows, int64_t channels,
                const AxisView& axis, bool mirror, uint8_t* out) {
  horizontal_by_fours(source, stride, rows, channels, axis, mirror, out, horizontal_rgb);
}

// Computes 32 neighbouring bytes of one output row. All steps work within 128-bit lanes, and the
// pack instructions undo the reordering by the unpack instructions.
void vertical_32(const uint8_t* source, int64_t stride, const int32_t* weight, int32_t count,
                 uint8_t* out) {
  const __m256i zero = _mm256_setzero_si256();
  Sums sums[4];
  for (int32_t t = 0; t < count; t += 2) {
    const int32_t below = t + 1 < count ? t + 1 : t;  // a repeated row has weight 0
    const auto load = [&](int32_t row) {
      return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(source + row * stride));
    };
    const __m256i upper = load(t), lower = load(below);
    const __m256i low_weights =
        _mm256_set1_epi32((weight[t] & 255) | ((weight[t + 1] & 255) << 16));
    const __m256i high_weights = _mm256_set1_epi32(((weight[t] >> kLowBits) & 0xFFFF) |
                                                   ((weight[t + 1] >> kLowBits) * 0x10000));
    const __m256i left = _mm256_unpacklo_epi8(upper, lower);
    const __m256i right = _mm256_unpackhi_epi8(upper, lower);
    sums[0].add(_mm256_unpacklo_epi8(left, zero), low_weights, high_weights);
    sums[1].add(_mm256_unpackhi_epi8(left, zero), low_weights, high_weights);
    sums[2].add(_mm256_unpacklo_epi8(right, zero), low_weights, high_weights);
    sums[3].add(_mm256_unpackhi_epi8(right, zero), low_weights, high_weights);
  }
  const __m256i values[4] = {sums[0].values(), sums[1].values(), sums[2].values(),
                             sums[3].values()};
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), to_bytes(values));
}

void vertical(const uint8_t* source, int64_t stride, int64_t bytes, const AxisView& axis,
              uint8_t* out) {
  for (int64_t row = 0; row < axis.outputs; ++row, out += bytes) {
    const int32_t* const weight = axis.weight + row * axis.taps;
    const uint8_t* const from = source + axis.first[row] * stride;
    int64_t at = 0;
    for (; at + 32 <= bytes; at += 32) {
      vertical_32(from + at, stride, weight, axis.count[row], out + at);
    }
    for (; at < bytes; ++at) {
      vertical_block<1>(from + at, stride, weight, axis.count[row], out + at);
    }
  }
}

}  // namespace

ResizeKernels avx2_resize_kernels() { return {horizontal, vertical}; }

}  // namespace fcm::image
