// One step of AdamW on a GPU, from the gradient norm to the new weights, without a host sync.
// Everything that changes from step to step is in GPU memory, so the launches can be captured once
// in a CUDA graph and replayed. All pointers are to GPU memory.
//
//   gradient_norm_cuda   partial sums of squares
//   adamw_begin_cuda     norm, decision whether to apply the step, rates and corrections
//   adamw_update_cuda    the update, optionally a bfloat16 copy of the weights
#pragma once

#include <stdint.h>

#include "fcm/ops/adamw/factors.h"
#include "fcm/ops/cuda/stream.h"
#include "fcm/ops/simd/bfloat16.h"

namespace fcm::ops {

// adamw_begin_cuda reads lr and steps and writes everything but lr.
struct AdamWState {
  double lr;        // scheduled learning rate of this step
  int64_t steps;    // steps applied so far
  double loss;      // copy of *AdamWBegin::loss, 0 if that is null
  double norm;      // of the gradients, before clipping
  int32_t applied;  // 0: loss or norm is non-finite, the step is skipped
};

// Consecutive elements of one parameter group. lr_scale is the group's factor of the scheduled
// learning rate. adamw_begin_cuda computes an AdamWSegment from each.
struct AdamWGroupRange {
  int64_t begin, end;
  double lr_scale, weight_decay;
};

struct AdamWBegin {
  const double* parts;  // written by gradient_norm_cuda
  int64_t part_count;
  const double* loss;  // may be null: the step is skipped only if the norm is non-finite
  double beta1, beta2, epsilon;
  double clip_norm;  // maximum gradient norm, 0: no clipping
  const AdamWGroupRange* scheduled;
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
  const AdamWSegment* segments;  // sorted by begin, not overlapping
  int64_t segment_count;
  const AdamWFactors* factors;
  const int32_t* applied;  // 0: the kernel does nothing; may be null: always applied
};

// Number of partial sums; depends on `count` alone.
[[gnu::weak]] int64_t gradient_norm_parts_cuda(int64_t count);
// Partial sums of squares in float64. parts: [gradient_norm_parts_cuda(count)], overwritten.
[[gnu::weak]] void gradient_norm_cuda(const float* gradient, int64_t count, double* parts,
                                      CudaStream stream);
[[gnu::weak]] void gradient_norm_cuda(const double* gradient, int64_t count, double* parts,
                                      CudaStream stream);

[[gnu::weak]] void adamw_begin_cuda(const AdamWBegin& begin, CudaStream stream);

[[gnu::weak]] void adamw_update_cuda(const AdamWUpdate<float>& update, CudaStream stream);
[[gnu::weak]] void adamw_update_cuda(const AdamWUpdate<double>& update, CudaStream stream);

}  // namespace fcm::ops
