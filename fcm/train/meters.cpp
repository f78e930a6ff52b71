#include "fcm/train/meters.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <fstream>
#include <string>

#include "fcm/ops/linear/op.h"

namespace fcm::train {
namespace {

// A "Name:   123 kB" line of a /proc file, in bytes; 0 where there is none.
double proc_bytes(const char* file, const std::string& name) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(name + ":")) return 1024.0 * std::stod(line.substr(name.size() + 1));
  }
  return 0;
}

}  // namespace

double SpeedWindow::images_per_second() const {
  return static_cast<double>(images) / std::max(watch.seconds(), 1e-9);
}

double SpeedWindow::wait_share() const { return waited_seconds / std::max(watch.seconds(), 1e-9); }

void SpeedWindow::restart() { *this = SpeedWindow{}; }

double total_memory_bytes() { return proc_bytes("/proc/meminfo", "MemTotal"); }

double peak_memory_bytes() { return proc_bytes("/proc/self/status", "VmHWM"); }

double measure_peak_flops(at::ScalarType compute) {
  constexpr int64_t kSide = 1024;
  const at::NoGradGuard no_grad;
  const at::Tensor x = at::ones({kSide, kSide}, compute),
                   weight = at::ones({kSide, kSide}, compute);
  const at::Tensor bias = at::zeros({kSide}, compute);
  ops::linear(x, weight, bias);  // first call: buffers, kernels
  double best = 0;
  for (int repeat = 0; repeat < 5; ++repeat) {
    const Stopwatch watch;
    ops::linear(x, weight, bias);
    best = std::max(best, 2.0 * kSide * kSide * kSide / watch.seconds());
  }
  return best;
}

double measure_copy_speed() {
  const at::NoGradGuard no_grad;
  const at::Tensor from = at::ones({64 << 20}), to = at::empty_like(from);
  to.copy_(from);
  double best = 0;
  for (int repeat = 0; repeat < 3; ++repeat) {
    const Stopwatch watch;
    to.copy_(from);
    best = std::max(best, 2.0 * static_cast<double>(from.nbytes()) / watch.seconds());
  }
  return best;
}

}  // namespace fcm::train
