#include "fcm/train/meters.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>

#include "fcm/base/process.h"
#include "fcm/ops/cuda/device.h"
#include "fcm/ops/linear/op.h"

namespace fcm::train {
double SpeedWindow::images_per_second() const {
  return static_cast<double>(images) / std::max(watch.seconds(), 1e-9);
}

double SpeedWindow::wait_share() const { return waited_seconds / std::max(watch.seconds(), 1e-9); }

void SpeedWindow::restart() { *this = SpeedWindow{}; }

void wait_for(at::Device device) {
  if (device.is_cuda()) ops::wait_for_cuda();
}

double total_memory_bytes(at::Device device) {
  if (device.is_cuda()) return static_cast<double>(ops::cuda_memory().free);
  return usable_memory_bytes();
}

double peak_memory_bytes(at::Device device) {
  if (device.is_cuda()) return static_cast<double>(ops::cuda_memory().peak);
  return peak_resident_bytes();
}

void reset_peak_memory(at::Device device) {
  if (device.is_cuda()) return ops::reset_peak_of_cuda_memory();
  reset_peak_resident();
}

namespace {

// The shortest of several calls, after a warm-up call (buffers, kernels).
template <typename Call>
double shortest_seconds(int repeats, at::Device device, const Call& call) {
  call();
  wait_for(device);
  double best = std::numeric_limits<double>::infinity();
  for (int repeat = 0; repeat < repeats; ++repeat) {
    const Stopwatch watch;
    call();
    wait_for(device);
    best = std::min(best, watch.seconds());
  }
  return best;
}

}  // namespace

double measure_peak_flops(at::ScalarType compute, at::Device device) {
  const int64_t side = device.is_cuda() ? 8192 : 1024;
  const at::NoGradGuard no_grad;
  const auto options = at::TensorOptions(compute).device(device);
  const at::Tensor x = at::ones({side, side}, options), weight = at::ones({side, side}, options);
  const at::Tensor bias = at::zeros({side}, options);
  const auto wide = static_cast<double>(side);
  return 2 * wide * wide * wide /
         shortest_seconds(5, device, [&] { ops::linear(x, weight, bias); });
}

double measure_copy_speed(at::Device device) {
  const at::NoGradGuard no_grad;
  const int64_t elements = device.is_cuda() ? int64_t{512} << 20 : int64_t{64} << 20;
  const at::Tensor from = at::ones({elements}, device), to = at::empty_like(from);
  return 2 * static_cast<double>(from.nbytes()) /
         shortest_seconds(3, device, [&] { to.copy_(from); });
}

}  // namespace fcm::train
