// A warp processes one predicted patch after another. Predictions and targets are read once; the
// target patch is found through its slot.
#include "fcm/ops/cuda/vector.h"
#include "fcm/ops/cuda/warp.h"
#include "fcm/ops/patch_loss/cuda.h"

namespace fcm::ops {
namespace {

constexpr int kThreads = 256, kWarps = kThreads / kWarp;
constexpr int64_t kMostParts = 1056;  // eight blocks on each of 132 multiprocessors

int64_t blocks_for(int64_t rows) { return (rows + kWarps - 1) / kWarps; }

template <class T, class A>
__device__ inline const A* target_of(const PatchLossRows<T, A>& a, int64_t row) {
  return a.targets + (row / a.rows * a.slots + a.slot[row % a.rows]) * a.values;
}

// Calls task(i, differences of the N values at i) for this lane's accesses to a patch.
template <int N, class T, class A, class Task>
__device__ inline void along_patch(const PatchLossRows<T, A>& a, int64_t row, const Task& task) {
  const T* predictions = a.predictions + row * a.values;
  const A* target = target_of(a, row);
#pragma unroll 3
  for (int64_t i = lane() * N; i < a.values; i += kWarp * N) {
    A difference[N], wanted[N];
    load<T, N>(predictions + i, difference);
    load<A, N>(target + i, wanted);
    for (int n = 0; n < N; ++n) difference[n] -= wanted[n];
    task(i, difference);
  }
}

// Sums within a patch in the type of the targets, over patches in float64, as on the CPU.
template <class T, class A, int N>
__global__ void __launch_bounds__(kThreads) forward(PatchLossRows<T, A> a, double* parts) {
  double total = 0;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kWarps;
  for (int64_t row = static_cast<int64_t>(blockIdx.x) * kWarps + warp(); row < a.end;
       row += stride) {
    A sum = 0;
    along_patch<N>(a, row, [&](int64_t, const A(&difference)[N]) {
      for (int n = 0; n < N; ++n) {
        sum += a.absolute ? fabs(difference[n]) : difference[n] * difference[n];
      }
    });
    total += static_cast<double>(warp_sum(sum));
  }
  auto* of_warp = static_cast<double*>(shared_memory());  // [kWarps]
  if (lane() == 0) of_warp[warp()] = total;
  __syncthreads();
  if (threadIdx.x != 0) return;
  for (int other = 1; other < kWarps; ++other) total += of_warp[other];
  parts[blockIdx.x] = total;
}

// Runs as a single warp.
template <class A>
__global__ void __launch_bounds__(kWarp)
    finish(const double* parts, int64_t count, double values, A* loss) {
  double total = 0;
  for (int64_t part = lane(); part < count; part += kWarp) total += parts[part];
  total = warp_sum(total);
  if (lane() == 0) *loss = static_cast<A>(total / values);
}

template <class T, class A, int N>
__global__ void __launch_bounds__(kThreads)
    backward(PatchLossRows<T, A> a, const A* dloss, T* dpredictions) {
  const int64_t row = static_cast<int64_t>(blockIdx.x) * kWarps + warp();
  if (row >= a.end) return;
  const A factor = (a.absolute ? 1 : 2) * *dloss / static_cast<A>(a.values);
  along_patch<N>(a, row, [&](int64_t i, const A(&difference)[N]) {
    A d[N];
    for (int n = 0; n < N; ++n) {
      const A sign = static_cast<A>((difference[n] > 0) - (difference[n] < 0));
      d[n] = factor * (a.absolute ? sign : difference[n]);
    }
    store<T, N>(dpredictions + row * a.values + i, d);
  });
}

template <class T, class A>
bool fits(const PatchLossRows<T, A>& rows) {
  return aligned_rows(rows.predictions, rows.values) && aligned_rows(rows.targets, rows.values);
}

template <class T, class A>
void run_forward(const PatchLossRows<T, A>& rows, double* parts, A* loss, CudaStream stream) {
  const int64_t count = patch_loss_parts_cuda(rows.end);
  const LaunchShape shape{"patch_loss", count, 1, kThreads, kWarps * sizeof(double), stream};
  if (fits(rows)) {
    launch(shape, forward<T, A, kLanes<T>>, rows, parts);
  } else {
    launch(shape, forward<T, A, 1>, rows, parts);
  }
  launch({"patch_loss sum", 1, 1, kWarp, 0, stream}, finish<A>, parts, count,
         static_cast<double>(rows.values), loss);
}

template <class T, class A>
void run_backward(const PatchLossRows<T, A>& rows, const A* dloss, T* dpredictions,
                  CudaStream stream) {
  const LaunchShape shape{"patch_loss gradient", blocks_for(rows.end), 1, kThreads, 0, stream};
  if (fits(rows) && aligned(dpredictions)) {
    launch(shape, backward<T, A, kLanes<T>>, rows, dloss, dpredictions);
  } else {
    launch(shape, backward<T, A, 1>, rows, dloss, dpredictions);
  }
}

}  // namespace

int64_t patch_loss_parts_cuda(int64_t rows) {
  const int64_t blocks = blocks_for(rows);
  return blocks < kMostParts ? blocks : kMostParts;
}

void patch_loss_forward_cuda(const PatchLossRows<float, float>& rows, double* parts, float* loss,
                             CudaStream stream) {
  run_forward(rows, parts, loss, stream);
}
void patch_loss_forward_cuda(const PatchLossRows<Bfloat16, float>& rows, double* parts, float* loss,
                             CudaStream stream) {
  run_forward(rows, parts, loss, stream);
}
void patch_loss_forward_cuda(const PatchLossRows<double, double>& rows, double* parts, double* loss,
                             CudaStream stream) {
  run_forward(rows, parts, loss, stream);
}

void patch_loss_backward_cuda(const PatchLossRows<float, float>& rows, const float* dloss,
                              float* dpredictions, CudaStream stream) {
  run_backward(rows, dloss, dpredictions, stream);
}
void patch_loss_backward_cuda(const PatchLossRows<Bfloat16, float>& rows, const float* dloss,
                              Bfloat16* dpredictions, CudaStream stream) {
  run_backward(rows, dloss, dpredictions, stream);
}
void patch_loss_backward_cuda(const PatchLossRows<double, double>& rows, const double* dloss,
                              double* dpredictions, CudaStream stream) {
  run_backward(rows, dloss, dpredictions, stream);
}

}  // namespace fcm::ops
