// Two kernels, one whose rows are queries (dq) and one whose rows are keys (dk, dv). Each
// recomputes the scores. Nothing is summed across blocks, so the bits do not depend on their order.
#include "fcm/ops/attention/cuda.h"
#include "fcm/ops/attention/cuda_rows.h"

namespace fcm::ops {
namespace {

using namespace attention_rows;

// The forward statistics of a lane's two queries; rows past the end get weight 0.
struct ForwardStatistics {
  float largest[2], inverse[2];

  __device__ ForwardStatistics(const AttentionBackward<Bfloat16, float>& a, int row) {
    const int64_t query_count = a.shape.queries;
    for (int half = 0; half < 2; ++half) {
      const int64_t mine = row + group() + 8 * half;
      const float* statistics = a.statistics + (blockIdx.x * query_count + mine) * 2;
      largest[half] = mine < query_count ? statistics[0] * kLog2E : 0;
      inverse[half] = mine < query_count ? statistics[1] : 0;
    }
  }

  // Turns scores into weights for 8 keys, of which the first `left` exist.
  __device__ void weigh(float (&s)[4], float scale, int left) const {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const bool there = 2 * pair() + i % 2 < left;
      s[i] = there ? power_of_two(s[i] * scale - largest[i / 2]) * inverse[i / 2] : 0;
    }
  }
};

// Recomputes the forward result, writes products[query] = dot(result, gradient of the result), and
// computes dq.
template <int D>
__global__ void __launch_bounds__(kThreads, kBlocks<D>)
    backward_queries(AttentionBackward<Bfloat16, float> a, float* products) {
  auto* keys = static_cast<Bfloat16*>(shared_memory());
  Bfloat16* values = keys + kChunk * kStride<D>;
  const int query_count = static_cast<int>(a.shape.queries),
            key_count = static_cast<int>(a.shape.keys);
  const int row = static_cast<int>(blockIdx.y) * kRows + warp() * kRowsOfWarp;
  const bool idle = row >= query_count;
  const Rows<const Bfloat16> key_rows = rows_of_keys(a.k, a.shape);
  const Rows<const Bfloat16> value_rows = rows_of_keys(a.v, a.shape);
  const Rows<const Bfloat16> dout_rows = rows_of_queries(a.dout, a.shape).from(row);
  uint32_t queries[D / 16][4], dout[D / 16][4];
  load_left<D>(rows_of_queries(a.q, a.shape).from(row), queries);
  load_left<D>(dout_rows, dout);
  const ForwardStatistics statistics(a, row);
  const float scale = scale_of(D);
  // Calls `task` for 16 keys at a time, with their weights.
  const auto each_keys = [&](bool load, const auto& task) {
    for (int chunk = 0; chunk < key_count; chunk += kChunk) {
      if (load) {
        __syncthreads();
        load_chunk<D>(key_rows.from(chunk), keys);
        load_chunk<D>(value_rows.from(chunk), values);
        __syncthreads();
      }
      if (idle) continue;
#pragma unroll 1
      for (int j = 0; j < kChunk && chunk + j < key_count; j += 16) {
        float s[2][4];
        for (int n = 0; n < 2; ++n) {
          dot_rows<D>(queries, keys + (j + 8 * n) * kStride<D>, s[n]);
          statistics.weigh(s[n], scale * kLog2E, key_count - chunk - j - 8 * n);
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
      products[blockIdx.x * a.shape.queries + row + mine] = product[half];
    }
  }
  if (a.out.first != nullptr) store_rows<D>(sums, 1, 1, rows_of_queries(a.out, a.shape).from(row));

  clear<D>(sums);
  // A single chunk is still in shared memory.
  each_keys(key_count > kChunk, [&](float(&s)[2][4], int j) {
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
  store_rows<D>(sums, 1, 1, rows_of_queries(a.dq, a.shape).from(row));
}

// dk and dv.
template <int D>
__global__ void __launch_bounds__(kThreads, kBlocks<D>)
    backward_keys(AttentionBackward<Bfloat16, float> a, const float* products) {
  auto* queries = static_cast<Bfloat16*>(shared_memory());
  Bfloat16* dout = queries + kChunk * kStride<D>;
  auto* largest = reinterpret_cast<float*>(dout + kChunk * kStride<D>);
  float *inverse = largest + kChunk, *product = inverse + kChunk;
  const int query_count = static_cast<int>(a.shape.queries);
  const int row = static_cast<int>(blockIdx.y) * kRows + warp() * kRowsOfWarp;
  const bool idle = row >= a.shape.keys;
  const Rows<const Bfloat16> query_rows = rows_of_queries(a.q, a.shape);
  const Rows<const Bfloat16> dout_rows = rows_of_queries(a.dout, a.shape);
  uint32_t keys[D / 16][4], values[D / 16][4];
  load_left<D>(rows_of_keys(a.k, a.shape).from(row), keys);
  load_left<D>(rows_of_keys(a.v, a.shape).from(row), values);
  const float scale = scale_of(D);
  float dkeys[D / 8][4], dvalues[D / 8][4];
  clear<D>(dkeys);
  clear<D>(dvalues);
  for (int chunk = 0; chunk < query_count; chunk += kChunk) {
    __syncthreads();
    load_chunk<D>(query_rows.from(chunk), queries);
    load_chunk<D>(dout_rows.from(chunk), dout);
    for (int i = static_cast<int>(threadIdx.x); i < kChunk; i += kThreads) {
      const bool there = chunk + i < query_count;
      const int64_t mine = static_cast<int64_t>(blockIdx.x) * query_count + chunk + i;
      largest[i] = there ? a.statistics[2 * mine] * kLog2E : 0;
      inverse[i] = there ? a.statistics[2 * mine + 1] : 0;
      product[i] = there ? products[mine] : 0;
    }
    __syncthreads();
    if (idle) continue;
#pragma unroll 1
    for (int j = 0; j < kChunk && chunk + j < query_count; j += 16) {
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
  store_rows<D>(dkeys, 1, 1, rows_of_keys(a.dk, a.shape).from(row));
  store_rows<D>(dvalues, 1, 1, rows_of_keys(a.dv, a.shape).from(row));
}

template <int D>
void run_backward(const AttentionBackward<Bfloat16, float>& pass, float* products,
                  CudaStream stream) {
  launch(shape_for<D>("attention gradient of queries", pass.end, pass.shape.queries, 0, stream),
         backward_queries<D>, pass, products);
  launch(shape_for<D>("attention gradient of keys", pass.end, pass.shape.keys, 3 * kChunk, stream),
         backward_keys<D>, pass, products);
}

}  // namespace

void attention_backward_cuda(const AttentionBackward<Bfloat16, float>& pass, float* products,
                             CudaStream stream) {
  if (!attention_cuda_takes(pass.shape.head_dim))
    launch_refused("attention", "expected a head_dim of 32 or 64");
  if (pass.shape.head_dim == 32) return run_backward<32>(pass, products, stream);
  run_backward<64>(pass, products, stream);
}

}  // namespace fcm::ops
