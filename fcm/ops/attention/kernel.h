// The CPU kernels of attention: a table of functions on raw pointers, one per instruction set.
#pragma once

#include <stdint.h>

#include "fcm/ops/simd/bfloat16.h"

namespace fcm::ops {

// Queries and keys may belong to one sequence or to two.
struct AttentionShape {
  int64_t queries;
  int64_t keys;
  int64_t heads;
  int64_t head_dim;
};

// The rows of all heads of all sequences. The row of head h and token t in sequence n begins at
// first + n * sequence + t * token + h * head_dim.
template <class T>
struct AttentionRows {
  T* first = nullptr;
  int64_t sequence = 0, token = 0;  // strides in elements

  // The row of token 0; pair = sequence * heads + head.
  T* of_pair(const AttentionShape& shape, int64_t pair) const {
    return first + pair / shape.heads * sequence + pair % shape.heads * shape.head_dim;
  }
};

// T: type of the elements; A: type of the arithmetic. Pairs are (sequence, head), numbered
// sequence * heads + head; a call processes the pairs [begin, end).
template <class T, class A>
struct AttentionForward {
  AttentionShape shape;
  int64_t begin, end;
  AttentionRows<const T> q, k, v;
  AttentionRows<T> out;  // one row per query
  A* statistics;  // [N, heads, queries, 2]: largest score, 1 / sum of exponentials; may be null
  A* scratch;     // forward_scratch elements
};

template <class T, class A>
struct AttentionBackward {
  AttentionShape shape;
  int64_t begin, end;
  AttentionRows<const T> q, k, v, dout;
  const A* statistics;
  AttentionRows<T> dq, dk, dv;
  AttentionRows<T> out;  // the forward result, recomputed; its `first` may be null
  A* scratch;            // backward_scratch elements
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
