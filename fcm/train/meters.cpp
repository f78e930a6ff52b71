#include "fcm/train/meters.h"

#include <algorithm>

#include "fcm/base/process.h"
#include "fcm/ops/cuda/device.h"

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

}  // namespace fcm::train
