#include "fcm/tasks/machine.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "fcm/base/error.h"
#include "fcm/ops/cuda/device.h"

namespace fcm::tasks {

namespace {

int64_t threads_of(const Machine& machine) {
  if (machine.threads > 0) return machine.threads;
  return std::max<int64_t>(std::thread::hardware_concurrency(), 1);
}

// The number behind "cuda:"; 0 for "cuda" alone. None: the name is no GPU's.
std::optional<int> gpu_named(std::string_view name) {
  if (name == "cuda") return 0;
  if (!name.starts_with("cuda:")) return std::nullopt;
  name.remove_prefix(std::string_view("cuda:").size());
  int index = -1;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), index);
  const bool whole = error == std::errc() && end == name.data() + name.size();
  return whole && index >= 0 ? std::optional(index) : std::nullopt;
}

at::Device gpu(const std::string& name, int index) {
  const auto devices = static_cast<int>(ops::cuda_devices().size());
  if (devices == 0) {
    fail(ExitCode::kDevice, "--device {}: {}; use --device cpu", name, ops::why_no_cuda_device());
  }
  if (index >= devices) {
    fail(ExitCode::kDevice, "--device {}: this machine has {} GPU{}, numbered from 0", name,
         devices, devices == 1 ? "" : "s");
  }
  return {at::kCUDA, static_cast<at::DeviceIndex>(index)};
}

}  // namespace

at::Device device_of(const Machine& machine) {
  if (machine.device == "cpu") return at::kCPU;
  if (machine.device == "auto") {
    return ops::cuda_devices().empty() ? at::Device(at::kCPU) : at::Device(at::kCUDA, 0);
  }
  const std::optional<int> index = gpu_named(machine.device);
  if (!index) {
    fail(ExitCode::kUsage, "--device {} is unknown; use auto, cpu, cuda or cuda:N", machine.device);
  }
  return gpu(machine.device, *index);
}

int64_t set_up_machine(const Machine& machine) {
  const at::Device device = device_of(machine);
  if (device.is_cuda()) ops::use_cuda_device(device.index());
  const int64_t threads = threads_of(machine);
  at::set_num_threads(static_cast<int>(threads));
  return threads;
}

loader::OpenOptions open_options(const Machine& machine) {
  return {threads_of(machine), machine.cache};
}

}  // namespace fcm::tasks
