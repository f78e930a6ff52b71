// What a kernel file needs from CUDA. nvcc compiles kernel files for the GPU. Tests compile the
// same files with the C++ compiler after including tests/emulator/emulator.h, which emulates CUDA.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "fcm/ops/cuda/launch_error.h"
#include "fcm/ops/cuda/stream.h"

#if defined(__CUDACC__)
#include <cuda_runtime.h>
#elif !defined(FCM_CUDA_EMULATOR)
#error "expected nvcc, or tests/emulator/emulator.h included before a kernel file"
#endif

namespace fcm::ops {

constexpr int kWarp = 32;

// Blocks of `threads` threads, a multiple of kWarp. name: for error messages.
struct LaunchShape {
  const char* name;
  int64_t blocks_x, blocks_y;
  int threads;
  size_t shared_bytes;  // at most 48 KiB: available on every GPU without opt-in
  CudaStream stream;
};

inline void check_shape(const LaunchShape& shape) {
  if (shape.blocks_x < 1 || shape.blocks_x > INT32_MAX || shape.blocks_y < 1 ||
      shape.blocks_y > 65535) {
    launch_refused(shape.name, "expected 1 to 2147483647 x 1 to 65535 blocks");
  }
  if (shape.threads < kWarp || shape.threads > 1024 || shape.threads % kWarp != 0 ||
      shape.shared_bytes > (48u << 10)) {
    launch_refused(shape.name, "expected 32 to 1024 threads in 32s and at most 48 KiB of memory");
  }
}

#if defined(__CUDACC__)

template <class... Parameters, class... Arguments>
void launch(const LaunchShape& shape, void (*kernel)(Parameters...),
            const Arguments&... arguments) {
  check_shape(shape);
  cudaLaunchConfig_t config{};
  config.gridDim =
      dim3(static_cast<unsigned>(shape.blocks_x), static_cast<unsigned>(shape.blocks_y));
  config.blockDim = dim3(static_cast<unsigned>(shape.threads));
  config.dynamicSmemBytes = shape.shared_bytes;
  config.stream = shape.stream;
  const cudaError_t error = cudaLaunchKernelEx(&config, kernel, Parameters(arguments)...);
  if (error != cudaSuccess) launch_failed(shape.name, cudaGetErrorString(error));
}

// The block's shared memory: LaunchShape::shared_bytes, aligned to 16 bytes.
__device__ inline void* shared_memory() {
  extern __shared__ uint4 fcm_shared[];
  return fcm_shared;
}

// Only the emulator checks alignment; a GPU reports a misaligned access itself.
__device__ inline void check_alignment(const void*, size_t) {}

#endif

}  // namespace fcm::ops
