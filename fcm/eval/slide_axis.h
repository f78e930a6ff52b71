// Bilinear resizing along one axis, and vector operations on rows. Private to slide.cpp and
// slide_rows.
#pragma once

#include <cstdint>
#include <vector>

namespace fcm::eval {

// The inputs of one element of the result: (1 - share) * in[low] + share * in[high].
struct BilinearTap {
  int64_t low = 0, high = 0;
  float share = 0;
};

// Taps that resize an axis of `from` elements to `to` elements (nn/upsample.h), in float32.
std::vector<BilinearTap> bilinear_taps(int64_t from, int64_t to);

// out = (1 - share) * a + share * b, for n values; a and b may alias, `out` may alias neither.
void blend(const float* a, const float* b, float share, int64_t n, float* out);
// out += (1 - share) * a + share * b.
void add_blend(const float* a, const float* b, float share, int64_t n, float* out);

void divide(float* values, float by, int64_t n);

// Index of the largest of n values, the first of equal ones. n is at least 1; no value is NaN.
int64_t place_of_largest(const float* values, int64_t n);

}  // namespace fcm::eval
