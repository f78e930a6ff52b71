// The CPU kernels of attention: a table of functions on raw pointers, one per instruction set.
#pragma once

#include <stdint.h>

#include "fcm/ops/simd/bfloat16.h"

namespace fcm::ops {

struct AttentionShape {
  int64_t tokens;
  int64_t first;  // the first query token; tokens before it are keys and values only
  int64_t heads;
  int64_t head_dim;
};

// T: element type; A: accumulation type. Pairs are (sequence, head), numbered sequence * heads +
// head; a call processes the pairs [begin, end).
template <class T, class A>
struct AttentionForward {
  AttentionShape shape;
  int64_t begin, end;
  const T* qkv;   // [N, T, 3, heads, head_dim]
  T* out;         // [N, T - first, heads, head_dim]
  A* statistics;  // [N, heads, T - first, 2]: maximum score, 1 / sum of exponentials; may be null
  A* scratch;     // forward_scratch elements
};

template <class T, class A>
struct AttentionBackward {  // tokens before `first` get query gradients of 0
  AttentionShape shape;
  int64_t begin, end;
  const T* qkv;
  const T* dout;
  const A* statistics;
  T* dqkv;
  T* out;      // the forward result, recomputed; may be null
  A* scratch;  // backward_scratch elements
};

struct AttentionKernels {
  int64_t (*forward_scratch)(const AttentionShape&);
  int64_t (*backward_scratch)(const AttentionShape&);
  void (*forward_float)(const AttentionForward<float, float>&);
  void (*forward_bfloat16)(const AttentionForward<Bfloat16, float>&);
  void (*forward_double)(const AttentionForward<double, double>&);
  void (*backward_float)(const AttentionBackward<float, float>&);
  void (*backward_bfloat16)(const AttentionBackward<Bfloat16, float>&);
  void (*backward_double)(const AttentionBackward<double, double>&);
};

extern const AttentionKernels attention_plain;
extern const AttentionKernels attention_avx2;
extern const AttentionKernels attention_avx512;
extern const AttentionKernels attention_amx;

}  // namespace fcm::ops
