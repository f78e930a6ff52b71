// Multiply-adds that never leave the registers.
#pragma once

#include <stdint.h>

namespace fcm::ops {

struct PeakKernel {
  // Runs `rounds` rounds of independent chains of multiply-adds, enough chains to fill the
  // pipeline. Returns their mean, so that the compiler cannot drop them.
  float (*multiply_adds)(int64_t rounds);
  int64_t flops_per_round;
};

extern const PeakKernel peak_plain;
extern const PeakKernel peak_avx2;
extern const PeakKernel peak_avx512;

}  // namespace fcm::ops
