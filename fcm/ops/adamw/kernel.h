// The CPU kernels of adamw: a table of functions on raw pointers, one per instruction set.
#pragma once

#include <stdint.h>

namespace fcm::ops {

// `count` elements with one learning rate and one weight decay.
template <class T>
struct AdamWChunk {
  int64_t count;
  T* value;
  T* first;
  T* second;
  const T* gradient;
  T gradient_scale, beta1, beta2;
  T one_minus_beta1, one_minus_beta2;  // 1 - beta1, 1 - beta2, rounded once
  T root_correction, epsilon, rate, decay;
};

struct AdamWKernels {
  void (*update_float)(const AdamWChunk<float>&);
  void (*update_double)(const AdamWChunk<double>&);
};

extern const AdamWKernels adamw_plain;
extern const AdamWKernels adamw_avx2;
extern const AdamWKernels adamw_avx512;

}  // namespace fcm::ops
