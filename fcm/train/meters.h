// Throughput and memory of a process.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "fcm/base/stopwatch.h"

namespace fcm::train {

// Throughput since the last line of the log.
struct SpeedWindow {
  Stopwatch watch;
  double waited_seconds = 0;  // for the loader
  int64_t images = 0;

  double images_per_second() const;
  double wait_share() const;  // waited_seconds as a fraction of the elapsed time
  void restart();
};

// Waits until the device has finished everything that was enqueued; returns at once for the CPU.
void wait_for(at::Device device);

// Memory in bytes that this process may use (base/process.h); on a GPU, the memory that is free
// now.
double total_memory_bytes(at::Device device = at::kCPU);
// Largest resident size of this process so far; on a GPU the peak of allocated tensors.
double peak_memory_bytes(at::Device device = at::kCPU);
// Resets the peak that peak_memory_bytes reports (proc(5)); no effect where the system does not
// allow it.
void reset_peak_memory(at::Device device = at::kCPU);

}  // namespace fcm::train
