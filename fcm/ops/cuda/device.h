// CUDA devices, streams, synchronisation and memory. In a build without CUDA there are no devices.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fcm/ops/cuda/stream.h"

namespace fcm::ops {

// Whether this program was built with CUDA. A program built with CUDA also runs on machines without
// a GPU or driver.
bool cuda_built();
// Version of the CUDA runtime library, "13.0"; empty in a build without CUDA.
std::string cuda_version();

struct CudaDevice {
  std::string name;
  int major = 0, minor = 0;  // compute capability
  int multiprocessors = 0;
  int64_t memory_bytes = 0;
};
// The devices that this process may use, by index; empty if there are none.
std::vector<CudaDevice> cuda_devices();
// Why there are no devices, in a few words: no driver, driver too old, no GPU, built without CUDA.
std::string why_no_cuda_device();

// All functions below need a device. In a build without CUDA they throw Error(kDevice).

// Sets the current device: new "cuda" tensors and the functions below use it. Also sets LibTorch's
// numerics: exact float32 products (no TF32), float32 accumulation of bfloat16 products,
// deterministic algorithms.
void use_cuda_device(int index);
CudaStream current_cuda_stream();
// Waits until the device has finished all enqueued work. Throws errors that this work reported.
void wait_for_cuda();

struct CudaMemory {
  int64_t in_use = 0, peak = 0;  // bytes of tensors; peak since the last reset
  int64_t free = 0, total = 0;   // bytes of the GPU
};
CudaMemory cuda_memory();
void reset_peak_of_cuda_memory();

}  // namespace fcm::ops
