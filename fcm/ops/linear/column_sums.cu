// A block takes a strip of columns, 32 accesses wide, and a part of the rows, which its warps
// divide. Every lane keeps the column sums of its access.
#include "fcm/ops/cuda/sum_parts.h"
#include "fcm/ops/cuda/vector.h"
#include "fcm/ops/cuda/warp.h"
#include "fcm/ops/linear/column_sums.h"

namespace fcm::ops {
namespace {

constexpr int kThreads = 256, kWarps = kThreads / kWarp;

template <class T, int N>
__global__ void __launch_bounds__(kThreads)
    sum_strip(const T* x, int64_t rows, int64_t columns, Wide<T>* parts) {
  using A = Wide<T>;
  const int64_t column = (static_cast<int64_t>(blockIdx.x) * kWarp + lane()) * N;
  const bool inside = column < columns;
  A sums[N] = {};
  if (inside) {
    const int64_t stride = static_cast<int64_t>(gridDim.y) * kWarps;
#pragma unroll 4
    for (int64_t row = static_cast<int64_t>(blockIdx.y) * kWarps + warp(); row < rows;
         row += stride) {
      A values[N];
      load<T, N>(x + row * columns + column, values);
#pragma unroll
      for (int n = 0; n < N; ++n) sums[n] += values[n];
    }
  }
  A* of_warp = static_cast<A*>(shared_memory());  // [kWarps, N, 32]
#pragma unroll
  for (int n = 0; n < N; ++n) of_warp[(warp() * N + n) * kWarp + lane()] = sums[n];
  __syncthreads();
  if (warp() != 0 || !inside) return;
  for (int other = 1; other < kWarps; ++other) {
#pragma unroll
    for (int n = 0; n < N; ++n) sums[n] += of_warp[(other * N + n) * kWarp + lane()];
  }
#pragma unroll
  for (int n = 0; n < N; ++n) parts[blockIdx.y * columns + column + n] = sums[n];
}

template <class T, int N>
void run_strips(const T* x, int64_t rows, int64_t columns, Wide<T>* parts, CudaStream stream) {
  const int64_t strips = (columns + kWarp * N - 1) / (kWarp * N);
  const size_t shared_bytes = size_t{kThreads} * N * sizeof(Wide<T>);
  launch({"column sums", strips, column_sums_parts_cuda(rows, columns), kThreads, shared_bytes,
          stream},
         sum_strip<T, N>, x, rows, columns, parts);
}

template <class T>
void run(const T* x, int64_t rows, int64_t columns, Wide<T>* parts, Wide<T>* sums,
         CudaStream stream) {
  if (aligned_rows(x, columns)) {
    run_strips<T, kLanes<T>>(x, rows, columns, parts, stream);
  } else {
    run_strips<T, 1>(x, rows, columns, parts, stream);
  }
  sum_parts_cuda(parts, column_sums_parts_cuda(rows, columns), columns, sums, stream);
}

}  // namespace

// Enough parts for about 1,056 blocks (eight on each of 132 multiprocessors) with strips of 256
// columns, but at least 16 rows per warp.
int64_t column_sums_parts_cuda(int64_t rows, int64_t columns) {
  const int64_t strips = (columns + 255) / 256, most = (1056 + strips - 1) / strips;
  const int64_t enough = (rows + kWarps * 16 - 1) / (kWarps * 16);
  return enough < most ? enough : most;
}

void column_sums_cuda(const float* x, int64_t rows, int64_t columns, float* parts, float* sums,
                      CudaStream stream) {
  run(x, rows, columns, parts, sums, stream);
}
void column_sums_cuda(const Bfloat16* x, int64_t rows, int64_t columns, float* parts, float* sums,
                      CudaStream stream) {
  run(x, rows, columns, parts, sums, stream);
}
void column_sums_cuda(const double* x, int64_t rows, int64_t columns, double* parts, double* sums,
                      CudaStream stream) {
  run(x, rows, columns, parts, sums, stream);
}

}  // namespace fcm::ops
