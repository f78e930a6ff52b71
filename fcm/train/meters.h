// Speed, waiting, memory and utilisation of a run.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "fcm/base/stopwatch.h"

namespace fcm::train {

// What happened since the last line of the log.
struct SpeedWindow {
  Stopwatch watch;
  double waited_seconds = 0;  // for the loader
  int64_t images = 0;

  double images_per_second() const;
  double wait_share() const;  // of the time
  void restart();
};

// Returns when the device has done all it was given; at once for the CPU.
void wait_for(at::Device device);

// What this process may use of the machine's (base/process.h); of a GPU what is free now.
double total_memory_bytes(at::Device device = at::kCPU);
// Largest resident size of this process so far; on a GPU the most that tensors took.
double peak_memory_bytes(at::Device device = at::kCPU);
// What peak_memory_bytes tells from then on begins here (proc(5)); without effect where the system
// does not allow it.
void reset_peak_memory(at::Device device = at::kCPU);

}  // namespace fcm::train
