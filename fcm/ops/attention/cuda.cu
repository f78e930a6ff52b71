// A block takes 64 rows of one (sequence, head), 16 a warp, and walks over the other side's rows in
// chunks of 64 in shared memory. Scores never leave registers. Backward is two kernels, one whose
// rows are queries (dq) and one whose rows are keys (dk, dv): each makes the scores again, nothing
// is added up across blocks, so that the bits do not depend on their order.
#include "fcm/ops/attention/cuda.h"
#include "fcm/ops/cuda/mma.h"
#include "fcm/ops/cuda/warp.h"

namespace fcm::ops {
namespace {

constexpr int kThreads = 128, kRows = 64, kRowsOfWarp = 16, kChunk = 64;
// So many blocks a multiprocessor that registers suffice without spilling.
template <int D>
constexpr int kBlocks = D == 32 ? 4 : 3;
constexpr float kLog2E = 1.4426950408889634f;

// Of rows in shared memory: rows that a warp reads at once begin in banks of their own.
template <int D>
constexpr int kStride = D + 8;

__device__ inline int group() { return lane() / 4; }
__device__ inline int pair() { return lane() % 4; }

// Where a pair of sequence and head begins.
struct Place {
  int64_t sequence, head;
};
__device__ inline Place place_of(const AttentionShape& shape) {
  return {blockIdx.x / shape.heads, blockIdx.x % shape.heads};
}

// Rows of one head, `stride` elements apart.
template <class T>
struct Rows {
  T* first;
  int64_t stride;
  int count;

  __device__ T* row(int64_t index) const { return first + index * stride; }
  __device__ Rows from(int index) const { return {row(index), stride, count - index}; }
};

// part: 0 queries, 1 keys, 2 values.
template <int D, class T>
__device__ inline Rows<T> rows_of_qkv(T* qkv, const AttentionShape& shape, int part) {
  const Place place = place_of(shape);
  const int64_t stride = 3 * shape.heads * D;
  return {qkv + place.sequence * shape.tokens * stride + (part * shape.heads + place.head) * D,
          stride, static_cast<int>(shape.tokens)};
}
template <int D, class T>
__device__ inline Rows<T> rows_of_result(T* out, const AttentionShape& shape) {
  const Place place = place_of(shape);
  const int64_t asking = shape.tokens - shape.first, stride = shape.heads * D;
  return {out + place.sequence * asking * stride + place.head * D, stride,
          static_cast<int>(asking)};
}

// The first 64 rows to shared memory, zeros for those that there are not.
template <int D>
__device__ inline void load_chunk(const Rows<const Bfloat16>& rows, Bfloat16* to) {
  constexpr int kPieces = D / 8;
  for (int i = static_cast<int>(threadIdx.x); i < kChunk * kPieces; i += kThreads) {
    const int row = i / kPieces, piece = i % kPieces;
    Pack<Bfloat16, 8> values{};
    if (row < rows.count) values = load_pack<Bfloat16, 8>(rows.row(row) + piece * 8);
    store_pack<Bfloat16, 8>(to + row * kStride<D> + piece * 8, values);
  }
}

// A warp's 16 rows as factors on the left.
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

// 16 rows times 8 rows of a chunk, element by element of the head.
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

// A warp's 16 rows of results, each times its factor.
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

// 2^x by one instruction; zero where that is below 2^-126.
__device__ inline float power_of_two(float x) {
#if defined(__CUDACC__)
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#else
  return exp2f(x);
#endif
}

// Over the four lanes that share a row.
__device__ inline float row_sum(float x) {
  x += __shfl_xor_sync(0xffffffffu, x, 1);
  return x + __shfl_xor_sync(0xffffffffu, x, 2);
}
__device__ inline float row_max(float x) {
  x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 1));
  return fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 2));
}

__device__ inline float scale_of(int head_dim) { return rsqrtf(static_cast<float>(head_dim)); }

// Of one chunk: scores to weights, and what was summed before to the new largest score. Scores are
// in powers of two.
template <int D>
struct Softmax {
  float largest[2] = {-INFINITY, -INFINITY}, sum[2] = {0, 0};  // sums are of this lane alone

  __device__ void take(float (&s)[kChunk / 8][4], int left, float (&out)[D / 8][4]) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float most = largest[half];
#pragma unroll
      for (int n = 0; n < kChunk / 8; ++n) {
#pragma unroll
        for (int i = 2 * half; i < 2 * half + 2; ++i) {
          if (8 * n + 2 * pair() + i % 2 >= left) s[n][i] = -INFINITY;
          most = fmaxf(most, s[n][i]);
        }
      }
      most = row_max(most);
      const float before = power_of_two(largest[half] - most);
      largest[half] = most;
      sum[half] *= before;
#pragma unroll
      for (int n = 0; n < kChunk / 8; ++n) {
#pragma unroll
        for (int i = 2 * half; i < 2 * half + 2; ++i) {
          s[n][i] = power_of_two(s[n][i] - most);
          sum[half] += s[n][i];
        }
      }
#pragma unroll
      for (int n = 0; n < D / 8; ++n) {
        out[n][2 * half] *= before;
        out[n][2 * half + 1] *= before;
      }
    }
  }
};

template <int D>
__global__ void __launch_bounds__(kThreads, kBlocks<D>)
    forward(AttentionForward<Bfloat16, float> a) {
  auto* keys = static_cast<Bfloat16*>(shared_memory());
  Bfloat16* values = keys + kChunk * kStride<D>;
  const int tokens = static_cast<int>(a.shape.tokens), first = static_cast<int>(a.shape.first);
  const int row = static_cast<int>(blockIdx.y) * kRows + warp() * kRowsOfWarp;
  const bool idle = row >= tokens - first;
  const Rows<const Bfloat16> key_rows = rows_of_qkv<D>(a.qkv, a.shape, 1);
  const Rows<const Bfloat16> value_rows = rows_of_qkv<D>(a.qkv, a.shape, 2);
  uint32_t queries[D / 16][4];
  load_left<D>(rows_of_qkv<D>(a.qkv, a.shape, 0).from(first + row), queries);
  const float scale = scale_of(D) * kLog2E;
  Softmax<D> softmax;
  float out[D / 8][4];
  clear<D>(out);
  for (int chunk = 0; chunk < tokens; chunk += kChunk) {
    const int left = tokens - chunk;
    __syncthreads();
    load_chunk<D>(key_rows.from(chunk), keys);
    load_chunk<D>(value_rows.from(chunk), values);
    __syncthreads();
    if (idle) continue;
    float s[kChunk / 8][4] = {};
#pragma unroll
    for (int n = 0; n < kChunk / 8; ++n) {
      if (8 * n < left) dot_rows<D>(queries, keys + 8 * n * kStride<D>, s[n]);
#pragma unroll
      for (int i = 0; i < 4; ++i) s[n][i] *= scale;
    }
    softmax.take(s, left, out);
#pragma unroll
    for (int j = 0; j < kChunk / 16; ++j) {
      uint32_t weights[4];
      round_tiles(s[2 * j], s[2 * j + 1], weights);
      if (16 * j < left) add_weighted<D>(weights, values + 16 * j * kStride<D>, out);
    }
  }
  if (idle) return;
  const float inverse[2] = {1 / row_sum(softmax.sum[0]), 1 / row_sum(softmax.sum[1])};
  store_rows<D>(out, inverse[0], inverse[1], rows_of_result<D>(a.out, a.shape).from(row));
  if (pair() != 0) return;
  for (int half = 0; half < 2; ++half) {
    const int64_t mine = row + group() + 8 * half, asking = tokens - first;
    if (mine >= asking) continue;
    float* statistics = a.statistics + (blockIdx.x * asking + mine) * 2;
    statistics[0] = softmax.largest[half] / kLog2E;
    statistics[1] = inverse[half];
  }
}

// What forward kept of a lane's two queries; those that there are not weigh nothing.
struct Kept {
  float largest[2], inverse[2];

  __device__ Kept(const AttentionBackward<Bfloat16, float>& a, int row) {
    const int64_t asking = a.shape.tokens - a.shape.first;
    for (int half = 0; half < 2; ++half) {
      const int64_t mine = row + group() + 8 * half;
      const float* statistics = a.statistics + (blockIdx.x * asking + mine) * 2;
      largest[half] = mine < asking ? statistics[0] * kLog2E : 0;
      inverse[half] = mine < asking ? statistics[1] : 0;
    }
  }

  // Weights of 8 keys of which `left` there are.
  __device__ void weigh(float (&s)[4], float scale, int left) const {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const bool there = 2 * pair() + i % 2 < left;
      s[i] = there ? power_of_two(s[i] * scale - largest[i / 2]) * inverse[i / 2] : 0;
    }
  }
};

// The forward result again, for products[query] = its product with its gradient, then dq.
template <int D>
__global__ void __launch_bounds__(kThreads, kBlocks<D>)
    backward_queries(AttentionBackward<Bfloat16, float> a, float* products) {
  auto* keys = static_cast<Bfloat16*>(shared_memory());
  Bfloat16* values = keys + kChunk * kStride<D>;
  const int tokens = static_cast<int>(a.shape.tokens), first = static_cast<int>(a.shape.first);
  const int row = static_cast<int>(blockIdx.y) * kRows + warp() * kRowsOfWarp;
  const bool idle = row >= tokens - first;
  const Rows<const Bfloat16> key_rows = rows_of_qkv<D>(a.qkv, a.shape, 1);
  const Rows<const Bfloat16> value_rows = rows_of_qkv<D>(a.qkv, a.shape, 2);
  const Rows<const Bfloat16> dout_rows = rows_of_result<D>(a.dout, a.shape).from(row);
  uint32_t queries[D / 16][4], dout[D / 16][4];
  load_left<D>(rows_of_qkv<D>(a.qkv, a.shape, 0).from(first + row), queries);
  load_left<D>(dout_rows, dout);
  const Kept kept(a, row);
  const float scale = scale_of(D);
  // Walks over 16 keys at a time, of which `left` there are, with their weights.
  const auto each_keys = [&](bool load, const auto& task) {
    for (int chunk = 0; chunk < tokens; chunk += kChunk) {
      if (load) {
        __syncthreads();
        load_chunk<D>(key_rows.from(chunk), keys);
        load_chunk<D>(value_rows.from(chunk), values);
        __syncthreads();
      }
      if (idle) continue;
#pragma unroll 1
      for (int j = 0; j < kChunk && chunk + j < tokens; j += 16) {
        float s[2][4];
        for (int n = 0; n < 2; ++n) {
          dot_rows<D>(queries, keys + (j + 8 * n) * kStride<D>, s[n]);
          kept.weigh(s[n], scale * kLog2E, tokens - chunk - j - 8 * n);
        }
        task(s, j);
      }
    }
  };

  float sums[D / 8][4];
  clear<D>(sums);
  each_keys(true, [&](const float(&s)[2][4], int j) {
    uint32_t weights[4];
    round_tiles(s[0], s[1], weights);
    add_weighted<D>(weights, values + j * kStride<D>, sums);
  });
  float product[2] = {0, 0};
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int mine = group() + 8 * half;
#pragma unroll
    for (int n = 0; n < D / 8; ++n) {
      float d[2] = {0, 0};
      if (mine < dout_rows.count) load<Bfloat16, 2>(dout_rows.row(mine) + 8 * n + 2 * pair(), d);
      product[half] += d[0] * sums[n][2 * half] + d[1] * sums[n][2 * half + 1];
    }
    product[half] = row_sum(product[half]);
    if (pair() == 0 && mine < dout_rows.count) {
      products[blockIdx.x * (a.shape.tokens - a.shape.first) + row + mine] = product[half];
    }
  }
  if (a.out != nullptr) store_rows<D>(sums, 1, 1, rows_of_result<D>(a.out, a.shape).from(row));

  clear<D>(sums);
  each_keys(tokens > kChunk, [&](float(&s)[2][4], int j) {  // a single chunk is still there
    for (int n = 0; n < 2; ++n) {
      float dweights[4];
      dot_rows<D>(dout, values + (j + 8 * n) * kStride<D>, dweights);
#pragma unroll
      for (int i = 0; i < 4; ++i) s[n][i] *= (dweights[i] - product[i / 2]) * scale;
    }
    uint32_t dscores[4];
    round_tiles(s[0], s[1], dscores);
    add_weighted<D>(dscores, keys + j * kStride<D>, sums);
  });
  store_rows<D>(sums, 1, 1, rows_of_qkv<D>(a.dqkv, a.shape, 0).from(first + row));
}

// dk and dv; and zeros for the queries before the first.
template <int D>
__global__ void __launch_bounds__(kThreads, kBlocks<D>)
    backward_keys(AttentionBackward<Bfloat16, float> a, const float* products) {
  auto* queries = static_cast<Bfloat16*>(shared_memory());
  Bfloat16* dout = queries + kChunk * kStride<D>;
  auto* largest = reinterpret_cast<float*>(dout + kChunk * kStride<D>);
  float *inverse = largest + kChunk, *product = inverse + kChunk;
  const int tokens = static_cast<int>(a.shape.tokens), first = static_cast<int>(a.shape.first);
  const int asking = tokens - first;
  const int row = static_cast<int>(blockIdx.y) * kRows + warp() * kRowsOfWarp;
  const bool idle = row >= tokens;
  const Rows<const Bfloat16> query_rows = rows_of_qkv<D>(a.qkv, a.shape, 0).from(first);
  const Rows<const Bfloat16> dout_rows = rows_of_result<D>(a.dout, a.shape);
  uint32_t keys[D / 16][4], values[D / 16][4];
  load_left<D>(rows_of_qkv<D>(a.qkv, a.shape, 1).from(row), keys);
  load_left<D>(rows_of_qkv<D>(a.qkv, a.shape, 2).from(row), values);
  const float scale = scale_of(D);
  float dkeys[D / 8][4], dvalues[D / 8][4];
  clear<D>(dkeys);
  clear<D>(dvalues);
  for (int chunk = 0; chunk < asking; chunk += kChunk) {
    __syncthreads();
    load_chunk<D>(query_rows.from(chunk), queries);
    load_chunk<D>(dout_rows.from(chunk), dout);
    for (int i = static_cast<int>(threadIdx.x); i < kChunk; i += kThreads) {
      const bool there = chunk + i < asking;
      const int64_t mine = static_cast<int64_t>(blockIdx.x) * asking + chunk + i;
      largest[i] = there ? a.statistics[2 * mine] * kLog2E : 0;
      inverse[i] = there ? a.statistics[2 * mine + 1] : 0;
      product[i] = there ? products[mine] : 0;
    }
    __syncthreads();
    if (idle) continue;
#pragma unroll 1
    for (int j = 0; j < kChunk && chunk + j < asking; j += 16) {
      float weights[2][4], dscores[2][4];
#pragma unroll
      for (int n = 0; n < 2; ++n) {
        const int rows = (j + 8 * n) * kStride<D>;
        dot_rows<D>(keys, queries + rows, weights[n]);
        dot_rows<D>(values, dout + rows, dscores[n]);
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const int query = j + 8 * n + 2 * pair() + i % 2;
          weights[n][i] =
              power_of_two(weights[n][i] * scale * kLog2E - largest[query]) * inverse[query];
          dscores[n][i] = weights[n][i] * (dscores[n][i] - product[query]) * scale;
        }
      }
      uint32_t rounded_tiles[4];
      round_tiles(weights[0], weights[1], rounded_tiles);
      add_weighted<D>(rounded_tiles, dout + j * kStride<D>, dvalues);
      round_tiles(dscores[0], dscores[1], rounded_tiles);
      add_weighted<D>(rounded_tiles, queries + j * kStride<D>, dkeys);
    }
  }
  if (idle) return;
  store_rows<D>(dkeys, 1, 1, rows_of_qkv<D>(a.dqkv, a.shape, 1).from(row));
  store_rows<D>(dvalues, 1, 1, rows_of_qkv<D>(a.dqkv, a.shape, 2).from(row));
  if (row >= first) return;
  clear<D>(dkeys);
  Rows<Bfloat16> silent = rows_of_qkv<D>(a.dqkv, a.shape, 0).from(row);
  silent.count = first - row;
  store_rows<D>(dkeys, 1, 1, silent);
}

template <int D>
LaunchShape shape_for(const char* name, int64_t pairs, int64_t rows, size_t numbers_more,
                      CudaStream stream) {
  const size_t shared = 2 * kChunk * kStride<D> * sizeof(Bfloat16) + numbers_more * sizeof(float);
  return {name, pairs, (rows + kRows - 1) / kRows, kThreads, shared, stream};
}

template <int D>
void run_forward(const AttentionForward<Bfloat16, float>& pass, CudaStream stream) {
  const int64_t asking = pass.shape.tokens - pass.shape.first;
  launch(shape_for<D>("attention", pass.end, asking, 0, stream), forward<D>, pass);
}

template <int D>
void run_backward(const AttentionBackward<Bfloat16, float>& pass, float* products,
                  CudaStream stream) {
  const int64_t tokens = pass.shape.tokens, asking = tokens - pass.shape.first;
  launch(shape_for<D>("attention gradient of queries", pass.end, asking, 0, stream),
         backward_queries<D>, pass, products);
  launch(shape_for<D>("attention gradient of keys", pass.end, tokens, 3 * kChunk, stream),
         backward_keys<D>, pass, products);
}

}  // namespace

void attention_forward_cuda(const AttentionForward<Bfloat16, float>& pass, CudaStream stream) {
  if (!attention_cuda_takes(pass.shape.head_dim)) launch_refused("attention", "got other heads");
  if (pass.shape.head_dim == 32) return run_forward<32>(pass, stream);
  run_forward<64>(pass, stream);
}

void attention_backward_cuda(const AttentionBackward<Bfloat16, float>& pass, float* products,
                             CudaStream stream) {
  if (!attention_cuda_takes(pass.shape.head_dim)) launch_refused("attention", "got other heads");
  if (pass.shape.head_dim == 32) return run_backward<32>(pass, products, stream);
  run_backward<64>(pass, products, stream);
}

}  // namespace fcm::ops
