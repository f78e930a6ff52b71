// One step of AdamW on a GPU, from the norm of the gradients to the new weights, without the
// processor looking at anything in between: what changes from step to step lies in the GPU's
// memory, so that the launches can be captured once and replayed. All pointers to that memory.
//
//   gradient_norm_cuda   sums of squares, in parts
//   adamw_begin_cuda     the norm; whether to update at all; this step's rates and corrections
//   adamw_update_cuda    the update, and the bfloat16 copy of the weights
#pragma once

#include <stdint.h>

#include "fcm/ops/adamw/factors.h"
#include "fcm/ops/cuda/stream.h"
#include "fcm/ops/simd/bfloat16.h"

namespace fcm::ops {

// lr and steps are read by adamw_begin_cuda, all but lr are written by it.
struct AdamWState {
  double lr;        // scheduled rate of this step
  int64_t steps;    // updates applied so far
  double loss;      // as given, 0 without one
  double norm;      // of the gradients, before clipping
  int32_t applied;  // 0: loss or norm was not finite, the update is left out
};

// Consecutive elements of one group.
struct AdamWScheduled {
  int64_t begin, end;
  double lr_scale, weight_decay;
};

struct AdamWBegin {
  const double* parts;  // of gradient_norm_cuda
  int64_t part_count;
  const double* loss;  // may be null: then only the norm decides
  double beta1, beta2, epsilon;
  double clip_norm;  // largest norm, 0: off
  const AdamWScheduled* scheduled;
  int64_t segment_count;
  AdamWState* state;
  AdamWSegment* segments;  // [segment_count], written
  AdamWFactors* factors;   // written
};

template <class T>
struct AdamWUpdate {
  int64_t count;
  T* value;
  T* first;
  T* second;
  const T* gradient;
  Bfloat16* rounded;             // [count], the new values in bfloat16; may be null
  const AdamWSegment* segments;  // by begin, not overlapping
  int64_t segment_count;
  const AdamWFactors* factors;
  const int32_t* applied;  // 0: nothing is done; may be null
};

// How many parts the sum is made in; depends on `count` alone.
[[gnu::weak]] int64_t gradient_norm_parts_cuda(int64_t count);
// Sums of squares in float64. parts: [gradient_norm_parts_cuda(count)], overwritten.
[[gnu::weak]] void gradient_norm_cuda(const float* gradient, int64_t count, double* parts,
                                      CudaStream stream);
[[gnu::weak]] void gradient_norm_cuda(const double* gradient, int64_t count, double* parts,
                                      CudaStream stream);

[[gnu::weak]] void adamw_begin_cuda(const AdamWBegin& begin, CudaStream stream);

[[gnu::weak]] void adamw_update_cuda(const AdamWUpdate<float>& update, CudaStream stream);
[[gnu::weak]] void adamw_update_cuda(const AdamWUpdate<double>& update, CudaStream stream);

}  // namespace fcm::ops
