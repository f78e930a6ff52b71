// The CPU kernels of window attention: a table of functions on raw pointers, one per instruction
// set.
#pragma once

#include <stdint.h>

#include "fcm/ops/simd/bfloat16.h"

namespace fcm::ops {

// Number of heads that are copied together.
constexpr int64_t kHeadsTogether = 4;

// The contents of ops::WindowSets, and the sizes of heads.
struct WindowShape {
  int64_t tokens;  // of an image
  int64_t heads;
  int64_t head_dim;
  int64_t largest;  // tokens of the largest set
  int64_t table;    // bias entries per head
  int64_t centre;   // entry for a token and itself
  // Number of images that share a plan. Set s of the p-th of these images is item s * copies + p.
  int64_t copies;
  // true: all biases of a set are expanded at once and shared with the next sets if these have the
  // same layout. false (large sets, few with the same layout): biases are expanded again for each
  // block of queries, and a call processes one head.
  bool whole;
  const int32_t* places;   // tokens_PT
  const int32_t* queries;  // queries_PT
  const int32_t* keys;     // keys_PT
  const int32_t* sets;     // sets_S4

  int64_t together() const { return whole ? kHeadsTogether : 1; }
};

// T: type of the elements; A: type of the sums. A call processes the items [begin, end) for `heads`
// heads, at most WindowShape::together(), from `first_head` on. Tensors have all shape.heads heads,
// not only those of the call.
template <class T, class A>
struct WindowForward {
  WindowShape shape;
  int64_t begin, end, first_head, heads;
  const T* qkv;   // [B, tokens, 3, heads, head_dim]
  const A* bias;  // [heads, table]
  T* out;         // [B, tokens, heads, head_dim]
  // [B, heads, tokens in the order of places, 2]: maximum score, 1 / sum of exponentials
  A* statistics;
  A* scratch;  // forward_scratch elements
};

template <class T, class A>
struct WindowBackward {
  WindowShape shape;
  int64_t begin, end, first_head, heads;
  const T* qkv;
  const A* bias;
  const T* dout;
  const A* statistics;
  T* dqkv;
  T* out;      // the forward result, recomputed; may be null
  A* dbias;    // [heads, table]: accumulated
  A* scratch;  // backward_scratch elements
};

struct WindowAttentionKernels {
  int64_t (*forward_scratch)(const WindowShape&);
  int64_t (*backward_scratch)(const WindowShape&);
  void (*forward_float)(const WindowForward<float, float>&);
  void (*forward_bfloat16)(const WindowForward<Bfloat16, float>&);
  void (*forward_double)(const WindowForward<double, double>&);
  void (*backward_float)(const WindowBackward<float, float>&);
  void (*backward_bfloat16)(const WindowBackward<Bfloat16, float>&);
  void (*backward_double)(const WindowBackward<double, double>&);
};

extern const WindowAttentionKernels window_attention_plain;
extern const WindowAttentionKernels window_attention_avx2;
extern const WindowAttentionKernels window_attention_avx512;

}  // namespace fcm::ops
