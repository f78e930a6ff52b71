#include "fcm/ops/cuda/sum_parts.h"
#include "fcm/ops/cuda/warp.h"

namespace fcm::ops {
namespace {

constexpr int kThreads = 512, kWarps = kThreads / kWarp;

// A block sums 32 columns, one per lane; its warps divide the parts and are summed last.
template <class A>
__global__ void __launch_bounds__(kThreads)
    sum(const A* parts, int64_t count, int64_t columns, A* sums) {
  A* of_warp = static_cast<A*>(shared_memory());  // [kWarps, 32]
  const int64_t column = static_cast<int64_t>(blockIdx.x) * kWarp + lane();
  A total = 0;
  if (column < columns) {
#pragma unroll 4
    for (int64_t part = warp(); part < count; part += kWarps) {
      total += parts[part * columns + column];
    }
  }
  of_warp[threadIdx.x] = total;
  __syncthreads();
  if (warp() != 0 || column >= columns) return;
  for (int other = 1; other < kWarps; ++other) total += of_warp[other * kWarp + lane()];
  sums[column] = total;
}

template <class A>
void run(const A* parts, int64_t count, int64_t columns, A* sums, CudaStream stream) {
  launch({"sum_parts", (columns + kWarp - 1) / kWarp, 1, kThreads, kThreads * sizeof(A), stream},
         sum<A>, parts, count, columns, sums);
}

}  // namespace

void sum_parts_cuda(const float* parts, int64_t count, int64_t columns, float* sums,
                    CudaStream stream) {
  run(parts, count, columns, sums, stream);
}
void sum_parts_cuda(const double* parts, int64_t count, int64_t columns, double* sums,
                    CudaStream stream) {
  run(parts, count, columns, sums, stream);
}

}  // namespace fcm::ops
