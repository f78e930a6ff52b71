// Building blocks of the GPU kernels of attention. A block takes 64 rows of one (sequence, head), a
// warp 16 of them, and loops over the rows of the other operand in chunks of 64 in shared memory.
#pragma once

#include "fcm/ops/attention/kernel.h"
#include "fcm/ops/cuda/mma.h"
#include "fcm/ops/cuda/warp.h"

namespace fcm::ops::attention_rows {

constexpr int kThreads = 128, kRows = 64, kRowsOfWarp = 16, kChunk = 64;
// Blocks per multiprocessor: as many as leave enough registers to avoid spills.
template <int D>
constexpr int kBlocks = D == 32 ? 4 : 3;
constexpr float kLog2E = 1.4426950408889634f;

// Row stride in shared memory: rows that a warp reads together begin in different banks.
template <int D>
constexpr int kStride = D + 8;

__device__ inline int group() { return lane() / 4; }
__device__ inline int pair() { return lane() % 4; }

// Rows of one head, `stride` elements apart.
template <class T>
struct Rows {
  T* first;
  int64_t stride;
  int count;

  __device__ T* row(int64_t index) const { return first + index * stride; }
  __device__ Rows from(int index) const { return {row(index), stride, count - index}; }
};

// The rows of the (sequence, head) that this block processes.
template <class T>
__device__ inline Rows<T> rows_of(const AttentionRows<T>& rows, const AttentionShape& shape,
                                  int64_t count) {
  const int64_t sequence = blockIdx.x / shape.heads, head = blockIdx.x % shape.heads;
  return {rows.first + sequence * rows.sequence + head * shape.head_dim, rows.token,
          static_cast<int>(count)};
}
template <class T>
__device__ inline Rows<T> rows_of_queries(const AttentionRows<T>& rows,
                                          const AttentionShape& shape) {
  return rows_of(rows, shape, shape.queries);
}
template <class T>
__device__ inline Rows<T> rows_of_keys(const AttentionRows<T>& rows, const AttentionShape& shape) {
  return rows_of(rows, shape, shape.keys);
}

// Copies the first 64 rows to shared memory, with zeros past the end.
template <int D>
__device__ inline void load_chunk(const Rows<const Bfloat16>& rows, Bfloat16* to) {
  constexpr int kPacks = D / 8;
  for (int i = static_cast<int>(threadIdx.x); i < kChunk * kPacks; i += kThreads) {
    const int row = i / kPacks, pack = i % kPacks;
    Pack<Bfloat16, 8> values{};
    if (row < rows.count) values = load_pack<Bfloat16, 8>(rows.row(row) + pack * 8);
    store_pack<Bfloat16, 8>(to + row * kStride<D> + pack * 8, values);
  }
}

// Loads a warp's 16 rows as left operands.
template <int D>
__device__ inline void load_left(const Rows<const Bfloat16>& rows, uint32_t (&a)[D / 16][4]) {
#pragma unroll
  for (int k = 0; k < D / 16; ++k) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int row = group() + i % 2 * 8;
      a[k][i] = row < rows.count ? load_pair(rows.row(row) + 16 * k + i / 2 * 8 + 2 * pair()) : 0;
    }
  }
}

// Dot products of 16 rows with 8 rows of a chunk, over the head's dimensions.
template <int D>
__device__ inline void dot_rows(const uint32_t (&a)[D / 16][4], const Bfloat16* rows,
                                float (&d)[4]) {
#pragma unroll
  for (int i = 0; i < 4; ++i) d[i] = 0;
#pragma unroll
  for (int k = 0; k < D / 16; ++k) {
    uint32_t b[2];
    load_tile_by_columns(b, rows + group() * kStride<D> + 16 * k);
    multiply_tiles(d, a[k], b);
  }
}

// sums += weights * 16 rows of a chunk.
template <int D>
__device__ inline void add_weighted(const uint32_t (&weights)[4], const Bfloat16* rows,
                                    float (&sums)[D / 8][4]) {
#pragma unroll
  for (int n = 0; n < D / 8; ++n) {
    uint32_t b[2];
    load_tile_by_rows(b, rows + lane() % 16 * kStride<D> + 8 * n);
    multiply_tiles(sums[n], weights, b);
  }
}

template <int D>
__device__ inline void clear(float (&sums)[D / 8][4]) {
#pragma unroll
  for (int n = 0; n < D / 8; ++n) {
#pragma unroll
    for (int i = 0; i < 4; ++i) sums[n][i] = 0;
  }
}

// Stores a warp's 16 rows of results. Of the two rows of each lane, the upper one is multiplied by
// factor_above, the lower one by factor_below.
template <int D>
__device__ inline void store_rows(const float (&sums)[D / 8][4], float factor_above,
                                  float factor_below, const Rows<Bfloat16>& to) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int row = group() + 8 * half;
    const float factor = half == 0 ? factor_above : factor_below;
    if (row >= to.count) continue;
#pragma unroll
    for (int n = 0; n < D / 8; ++n) {
      const float values[2] = {sums[n][2 * half] * factor, sums[n][2 * half + 1] * factor};
      store<Bfloat16, 2>(to.row(row) + 8 * n + 2 * pair(), values);
    }
  }
}

// 2^x in one instruction; results below 2^-126 are flushed to zero.
__device__ inline float power_of_two(float x) {
#if defined(__CUDACC__)
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#else
  return exp2f(x);
#endif
}

// Sum and maximum over the four lanes that share a row.
__device__ inline float row_sum(float x) {
  x += __shfl_xor_sync(0xffffffffu, x, 1);
  return x + __shfl_xor_sync(0xffffffffu, x, 2);
}
__device__ inline float row_max(float x) {
  x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 1));
  return fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 2));
}

__device__ inline float scale_of(int head_dim) { return rsqrtf(static_cast<float>(head_dim)); }

template <int D>
inline LaunchShape shape_for(const char* name, int64_t pairs, int64_t rows, size_t extra_floats,
                             CudaStream stream) {
  const size_t shared = 2 * kChunk * kStride<D> * sizeof(Bfloat16) + extra_floats * sizeof(float);
  return {name, pairs, (rows + kRows - 1) / kRows, kThreads, shared, stream};
}

}  // namespace fcm::ops::attention_rows
