// The horizontal and the vertical pass of resizing with AVX-512 VNNI. vpdpbusd multiplies four
// unsigned bytes by four signed bytes and adds the products to a 32-bit sum, without saturation.
// Each weight is split into three signed digits in base 256. Each digit has its own partial sum;
// shifted and added, the three give the same 32-bit sum as the scalar loops of resize_passes.h.
#include <immintrin.h>

#include "fcm/image/resize_passes.h"

namespace fcm::image {
namespace {

// Partial sums, one for each digit of the weights.
struct Sums {
  __m512i low = _mm512_set1_epi32(kHalf), middle = _mm512_setzero_si512(),
          high = _mm512_setzero_si512();

  void add(__m512i pixels, const int32_t* digits) {
    low = _mm512_dpbusd_epi32(low, pixels, _mm512_set1_epi32(digits[0]));
    middle = _mm512_dpbusd_epi32(middle, pixels, _mm512_set1_epi32(digits[1]));
    high = _mm512_dpbusd_epi32(high, pixels, _mm512_set1_epi32(digits[2]));
  }
  // Not yet clamped to 0 .. 255.
  __m512i values() const {
    const __m512i all = _mm512_add_epi32(
        low, _mm512_add_epi32(_mm512_slli_epi32(middle, 8), _mm512_slli_epi32(high, 16)));
    return _mm512_srai_epi32(all, kWeightBits);
  }
};

__m512i to_bytes(__m512i a, __m512i b, __m512i c, __m512i d) {
  return _mm512_packus_epi16(_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d));
}

// Loads 16 bytes from each of four rows; only the first `left` bytes are read, the rest are 0.
__m512i load_rows(const uint8_t* const* rows, int64_t at, int64_t left) {
  const auto join = [](__m128i a, __m128i b, __m128i c, __m128i d) {
    const __m512i two = _mm512_inserti32x4(_mm512_castsi128_si512(a), b, 1);
    return _mm512_inserti32x4(_mm512_inserti32x4(two, c, 2), d, 3);
  };
  if (left >= 16) {
    const auto load = [&](int row) {
      return _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows[row] + at));
    };
    return join(load(0), load(1), load(2), load(3));
  }
  const auto mask = static_cast<__mmask16>((1U << left) - 1);
  const auto load = [&](int row) { return _mm_maskz_loadu_epi8(mask, rows[row] + at); };
  return join(load(0), load(1), load(2), load(3));
}

// Returns output pixel i of four rows, as (red, green, blue, 0), one row per 128-bit lane.
__m512i rgb_of_four_rows(const uint8_t* const* rows, const AxisView& axis, int64_t i) {
  // Reorders four pixels RGB RGB RGB RGB to RRRR GGGG BBBB 0000.
  const __m512i by_channel =
      _mm512_broadcast_i32x4(_mm_setr_epi8(0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11, -1, -1, -1, -1));
  const int32_t* digits = axis.digits + i * axis.taps / 4 * 3;
  const int32_t count = axis.count[i];
  int64_t at = int64_t{3} * axis.first[i], left = 3 * axis.source - at;
  Sums sums;
  for (int32_t t = 0; t < count; t += 4, at += 12, left -= 12, digits += 3) {
    sums.add(_mm512_shuffle_epi8(load_rows(rows, at, left), by_channel), digits);
  }
  return sums.values();
}

// Resizes four rows of RGB; only the first `rows` are stored.
void horizontal_rgb(const uint8_t* const* from, int64_t rows, const AxisView& axis, bool mirror,
                    uint8_t* out) {
  const __m512i dense =
      _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1));
  const int64_t last = axis.outputs - 1;
  for (int64_t first = 0; first <= last; first += 4) {
    __m512i four[4];
    for (int64_t k = 0; k < 4; ++k) {
      const int64_t place = first + k < last ? first + k : last;
      four[k] = rgb_of_four_rows(from, axis, mirror ? last - place : place);
    }
    const __m512i pixels = _mm512_shuffle_epi8(to_bytes(four[0], four[1], four[2], four[3]), dense);
    const int64_t kept = last - first + 1 < 4 ? last - first + 1 : 4;
    const auto mask = static_cast<__mmask16>((1U << (3 * kept)) - 1);
    alignas(64) uint8_t of_row[4][16];
    _mm512_store_si512(of_row, pixels);
    for (int64_t row = 0; row < rows; ++row) {
      _mm_mask_storeu_epi8(out + (row * axis.outputs + first) * 3, mask,
                           _mm_load_si128(reinterpret_cast<const __m128i*>(of_row[row])));
    }
  }
}

void horizontal(const uint8_t* source, int64_t stride, int64_t rows, int64_t channels,
                const AxisView& axis, bool mirror, uint8_t* out) {
  horizontal_by_fours(source, stride, rows, channels, axis, mirror, out, horizontal_rgb);
}

// Computes up to 64 neighbouring bytes of one output row. All steps work within 128-bit lanes, and
// the pack instructions undo the reordering by the unpack instructions.
void vertical_block(const uint8_t* source, int64_t stride, const int32_t* digits, int32_t count,
                    __mmask64 mask, uint8_t* out) {
  Sums sums[4];
  for (int32_t t = 0; t < count; t += 4, digits += 3) {
    __m512i rows[4];
    for (int32_t k = 0; k < 4; ++k) {  // unused taps have weight 0
      const int32_t row = t + k < count ? t + k : count - 1;
      rows[k] = _mm512_maskz_loadu_epi8(mask, source + row * stride);
    }
    const __m512i low_01 = _mm512_unpacklo_epi8(rows[0], rows[1]);
    const __m512i low_23 = _mm512_unpacklo_epi8(rows[2], rows[3]);
    const __m512i high_01 = _mm512_unpackhi_epi8(rows[0], rows[1]);
    const __m512i high_23 = _mm512_unpackhi_epi8(rows[2], rows[3]);
    sums[0].add(_mm512_unpacklo_epi16(low_01, low_23), digits);
    sums[1].add(_mm512_unpackhi_epi16(low_01, low_23), digits);
    sums[2].add(_mm512_unpacklo_epi16(high_01, high_23), digits);
    sums[3].add(_mm512_unpackhi_epi16(high_01, high_23), digits);
  }
  _mm512_mask_storeu_epi8(
      out, mask, to_bytes(sums[0].values(), sums[1].values(), sums[2].values(), sums[3].values()));
}

void vertical(const uint8_t* source, int64_t stride, int64_t bytes, const AxisView& axis,
              uint8_t* out) {
  for (int64_t row = 0; row < axis.outputs; ++row, out += bytes) {
    const int32_t* const digits = axis.digits + row * axis.taps / 4 * 3;
    const uint8_t* const from = source + axis.first[row] * stride;
    for (int64_t at = 0; at < bytes; at += 64) {
      const int64_t left = bytes - at;
      const __mmask64 mask = left < 64 ? (__mmask64{1} << left) - 1 : ~__mmask64{0};
      vertical_block(from + at, stride, digits, axis.count[row], mask, out + at);
    }
  }
}

}  // namespace

ResizeKernels vnni_resize_kernels() { return {horizontal, vertical}; }

}  // namespace fcm::image
