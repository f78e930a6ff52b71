// Multiply-adds that never leave the registers, and plain passes over memory.
#pragma once

#include <stdint.h>

namespace fcm::ops {

struct PeakKernel {
  // Runs `rounds` rounds of independent chains of multiply-adds, enough chains to fill the
  // pipeline. Returns their mean, so that the compiler cannot drop them.
  float (*multiply_adds)(int64_t rounds);
  int64_t flops_per_round;
};

// n: a multiple of 64; pointers on borders of 64 bytes.
struct PeakMemory {
  float (*read)(const float* from, int64_t n);            // returns the sum
  void (*copy)(const float* from, float* to, int64_t n);  // by stores that pass the caches
};

struct PeakKernels {
  PeakKernel float32;  // tends to 1
  PeakMemory memory;
};

extern const PeakKernels peak_plain;
extern const PeakKernels peak_avx2;
extern const PeakKernels peak_avx512;

// Of bfloat16, added up in float32. A round of the dot products of avx512_bf16 adds 2 to each
// chain, a round of AMX's tiles 32.
extern const PeakKernel peak_dot_bf16;
extern const PeakKernel peak_tiles_amx;

}  // namespace fcm::ops
