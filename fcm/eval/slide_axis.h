// Bilinear enlarging along one axis, and of whole rows of numbers. Not for use outside of slide.
#pragma once

#include <cstdint>
#include <vector>

namespace fcm::eval {

// An element of the result is (1 - share) * in[low] + share * in[high].
struct BilinearTap {
  int64_t low = 0, high = 0;
  float share = 0;
};

// An axis of `to` elements that `from` elements are brought to (nn/upsample.h), in float32.
std::vector<BilinearTap> bilinear_taps(int64_t from, int64_t to);

// out = (1 - share) * a + share * b, for n numbers; a and b may be the same, out is neither.
void blend(const float* a, const float* b, float share, int64_t n, float* out);
// out += the same.
void add_blend(const float* a, const float* b, float share, int64_t n, float* out);

void divide(float* values, float by, int64_t n);

// The place of the largest of n numbers, the first of equal ones; n at least 1, none of them NaN.
int64_t place_of_largest(const float* values, int64_t n);

}  // namespace fcm::eval
