// A block processes one slot after another. Values come from a table of 256 per channel, which the
// block computes once, in float64 as on the CPU, so the bits are the same. A thread writes 16 bytes
// of a patch. It reads single bytes, in rows of a cell, which the cache coalesces.
#include "fcm/ops/cuda/vector.h"
#include "fcm/ops/patchify/cuda.h"

namespace fcm::ops {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kSlotsOfBlock = 16;  // slots that share one table

__device__ inline void narrow_from_double(double from, float& to) { to = static_cast<float>(from); }
__device__ inline void narrow_from_double(double from, double& to) { to = from; }
// Through float32, as LibTorch converts.
__device__ inline void narrow_from_double(double from, Bfloat16& to) {
  auto wide = static_cast<float>(from);
  narrow(wide, to);
}

template <class T, int N>
__global__ void __launch_bounds__(kThreads) cut_patches(PatchifyCuda a, T* result) {
  T* table = static_cast<T*>(shared_memory());  // [channels, 256]
  const auto channels = static_cast<int>(a.channels);
  for (int i = static_cast<int>(threadIdx.x); i < channels * 256; i += kThreads) {
    narrow_from_double((i % 256 / 255.0 - a.mean[i / 256]) / a.stddev[i / 256], table[i]);
  }
  __syncthreads();
  const int64_t begin = blockIdx.x * kSlotsOfBlock, all = a.batch * a.slots;
  const int64_t end = begin + kSlotsOfBlock < all ? begin + kSlotsOfBlock : all;
  const int64_t row_bytes = a.grid_cols * a.side * a.channels;
  const auto side = static_cast<int>(a.side);
  const int values = side * side * channels;
  for (int64_t slot = begin; slot < end; ++slot) {
    const int64_t patch = a.order[slot];
    const uint8_t* from = a.images + slot / a.slots * a.grid_rows * a.side * row_bytes +
                          patch / a.grid_cols * a.side * row_bytes +
                          patch % a.grid_cols * a.side * a.channels;
    for (int value = static_cast<int>(threadIdx.x) * N; value < values; value += kThreads * N) {
      Pack<T, N> pack;
#pragma unroll
      for (int n = 0; n < N; ++n) {
        const int pixel = a.pixel[(value + n) / channels], channel = (value + n) % channels;
        const uint8_t byte = from[pixel / side * row_bytes + pixel % side * channels + channel];
        pack.at[n] = table[channel * 256 + byte];
      }
      store_pack<T, N>(result + slot * values + value, pack);
    }
  }
}

template <class T>
void run(const PatchifyCuda& cut, T* result, CudaStream stream) {
  constexpr int N = kLanes<T>;
  if (cut.side > kMostCudaPatchSide || cut.channels > kMostCudaChannels) {
    launch_refused("patchify", "expected patches of at most 16 x 16 pixels of 4 channels");
  }
  const int64_t blocks = (cut.batch * cut.slots + kSlotsOfBlock - 1) / kSlotsOfBlock;
  const size_t table_bytes = static_cast<size_t>(cut.channels) * 256 * sizeof(T);
  const LaunchShape shape{"patchify", blocks, 1, kThreads, table_bytes, stream};
  if (aligned_rows(result, cut.side * cut.side * cut.channels)) {
    launch(shape, cut_patches<T, N>, cut, result);
  } else {
    launch(shape, cut_patches<T, 1>, cut, result);
  }
}

}  // namespace

void patchify_cuda(const PatchifyCuda& cut, float* result, CudaStream stream) {
  run(cut, result, stream);
}
void patchify_cuda(const PatchifyCuda& cut, Bfloat16* result, CudaStream stream) {
  run(cut, result, stream);
}
void patchify_cuda(const PatchifyCuda& cut, double* result, CudaStream stream) {
  run(cut, result, stream);
}

}  // namespace fcm::ops
