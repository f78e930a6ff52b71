// What the program asks of CUDA besides computing. In a build without CUDA there are no devices.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fcm/ops/cuda/stream.h"

namespace fcm::ops {

// Whether this program was linked with the CUDA code; a program that was also runs where neither
// GPU nor driver is.
bool cuda_built();
// Of the CUDA libraries at hand, "13.0"; empty in a build without.
std::string cuda_version();

struct CudaDevice {
  std::string name;
  int major = 0, minor = 0;  // compute capability
  int multiprocessors = 0;
  int64_t memory_bytes = 0;
};
// Those that this process may use, in the order of their numbers; empty where there are none.
std::vector<CudaDevice> cuda_devices();
// Why there are none, in a few words: no driver, too old a driver, no GPU, none built in.
std::string why_no_cuda_device();

// Everything from here on needs a device and throws Error(kDevice) without one.

// The device that new tensors of type "cuda" lie on and that the calls below speak of. From then
// on float32 products are exact (no TF32), sums of bfloat16 products are float32, and the same work
// gives the same bits.
void use_cuda_device(int index);
CudaStream current_cuda_stream();
// Returns when all work given to the device is done. Throws what that work reported.
void wait_for_cuda();

struct CudaMemory {
  int64_t in_use = 0, peak = 0;  // bytes of tensors; peak since the last reset
  int64_t free = 0, total = 0;   // bytes of the card
};
CudaMemory cuda_memory();
void reset_peak_of_cuda_memory();

}  // namespace fcm::ops
