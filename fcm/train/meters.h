// Speed, waiting, memory and utilisation of a run.
#pragma once

#include <ATen/core/Tensor.h>

#include <chrono>
#include <cstdint>

namespace fcm::train {

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }
  void restart() { start_ = Clock::now(); }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point start_ = Clock::now();
};

// What happened since the last line of the log.
struct SpeedWindow {
  Stopwatch watch;
  double waited_seconds = 0;  // for the loader
  int64_t images = 0;

  double images_per_second() const;
  double wait_share() const;  // of the time
  void restart();
};

double total_memory_bytes();  // of the machine
double peak_memory_bytes();   // largest resident size of this process so far

// Operations per second of a large matrix product in the compute type: what utilisation is relative
// to. Takes about a tenth of a second.
double measure_peak_flops(at::ScalarType compute);

// Bytes read plus written per second of copying half a gigabyte. Takes about half a second.
double measure_copy_speed();

}  // namespace fcm::train
