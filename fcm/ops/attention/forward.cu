// Scores never leave registers: an online softmax that tracks the running maximum over chunks.
#include "fcm/ops/attention/cuda.h"
#include "fcm/ops/attention/cuda_rows.h"

namespace fcm::ops {
namespace {

using namespace attention_rows;

// Turns one chunk of scores into weights and rescales earlier sums to the new maximum. Scores are
// in base-2 exponents.
template <int D>
struct Softmax {
  float largest[2] = {-INFINITY, -INFINITY}, sum[2] = {0, 0};  // sum: over this lane's scores

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
  const int query_count = static_cast<int>(a.shape.queries),
            key_count = static_cast<int>(a.shape.keys);
  const int row = static_cast<int>(blockIdx.y) * kRows + warp() * kRowsOfWarp;
  const bool idle = row >= query_count;
  const Rows<const Bfloat16> key_rows = rows_of_keys(a.k, a.shape);
  const Rows<const Bfloat16> value_rows = rows_of_keys(a.v, a.shape);
  uint32_t queries[D / 16][4];
  load_left<D>(rows_of_queries(a.q, a.shape).from(row), queries);
  const float scale = scale_of(D) * kLog2E;
  Softmax<D> softmax;
  float out[D / 8][4];
  clear<D>(out);
  for (int chunk = 0; chunk < key_count; chunk += kChunk) {
    const int left = key_count - chunk;
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
  store_rows<D>(out, inverse[0], inverse[1], rows_of_queries(a.out, a.shape).from(row));
  if (pair() != 0) return;
  for (int half = 0; half < 2; ++half) {
    const int64_t mine = row + group() + 8 * half;
    if (mine >= query_count) continue;
    float* statistics = a.statistics + (blockIdx.x * query_count + mine) * 2;
    statistics[0] = softmax.largest[half] / kLog2E;
    statistics[1] = inverse[half];
  }
}

template <int D>
void run_forward(const AttentionForward<Bfloat16, float>& pass, CudaStream stream) {
  launch(shape_for<D>("attention", pass.end, pass.shape.queries, 0, stream), forward<D>, pass);
}

}  // namespace

void attention_forward_cuda(const AttentionForward<Bfloat16, float>& pass, CudaStream stream) {
  if (!attention_cuda_takes(pass.shape.head_dim))
    launch_refused("attention", "expected a head_dim of 32 or 64");
  if (pass.shape.head_dim == 32) return run_forward<32>(pass, stream);
  run_forward<64>(pass, stream);
}

}  // namespace fcm::ops
