// Multiply-adds that never leave the registers.
#pragma once

#include <stdint.h>

namespace fcm::ops {

struct PeakKernel {
  // Does `rounds` rounds on chains that do not wait for each other, enough of them to fill the
  // pipeline, and returns what they came to, so that no compiler drops them.
  float (*multiply_adds)(int64_t rounds);
  int64_t flops_per_round;
};

extern const PeakKernel peak_plain;
extern const PeakKernel peak_avx2;
extern const PeakKernel peak_avx512;

}  // namespace fcm::ops
