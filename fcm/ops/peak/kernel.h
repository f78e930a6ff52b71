// The CPU kernels of peak: multiply-adds on registers only, and passes over memory.
#pragma once

#include <stdint.h>

namespace fcm::ops {

struct PeakKernel {
  // Runs `rounds` rounds of independent chains of multiply-adds, enough chains to fill the
  // pipeline. Returns their mean, so that the compiler cannot drop them.
  float (*multiply_adds)(int64_t rounds);
  int64_t flops_per_round;
};

// n: a multiple of 64; pointers are aligned to 64 bytes.
struct PeakMemory {
  float (*read)(const float* from, int64_t n);            // returns the sum
  void (*copy)(const float* from, float* to, int64_t n);  // with non-temporal stores
};

struct PeakKernels {
  PeakKernel float32;  // its result tends to 1
  PeakMemory memory;
};

extern const PeakKernels peak_plain;
extern const PeakKernels peak_avx2;
extern const PeakKernels peak_avx512;

// bfloat16 products with float32 sums. A round of avx512_bf16 dot products adds 2 to each chain, a
// round of AMX tiles 32.
extern const PeakKernel peak_dot_bf16;
extern const PeakKernel peak_tiles_amx;

}  // namespace fcm::ops
