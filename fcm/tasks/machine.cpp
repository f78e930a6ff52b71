#include "fcm/tasks/machine.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "fcm/base/counted.h"
#include "fcm/base/error.h"
#include "fcm/base/threads.h"
#include "fcm/ops/cuda/device.h"

namespace fcm::tasks {

namespace {

int64_t threads_of(const MachineOptions& machine) {
  if (machine.threads > 0) return machine.threads;
  // If a rank may use at most its share of the machine's cores, these are taken to be its own, and
  // it uses all of them. Otherwise several ranks may use the same cores, so these are divided.
  const int64_t usable = usable_cores().count, ranks = machine.group->ranks_here();
  const int64_t cores = std::thread::hardware_concurrency();
  return usable <= cores / ranks ? usable : std::max<int64_t>(usable / ranks, 1);
}

// Throws Error(kDevice) if the system does not allow that many threads. If a thread cannot be
// created, LibTorch waits for it forever, and OpenMP ends the process with its own message.
void refuse_more_threads_than_there_are(int64_t threads, const std::string& set_by) {
  // Threads in addition to this one: LibTorch's pool, OpenMP's pool, and the loader's threads.
  const auto beside = [](int64_t count) { return count == 1 ? 1 : 2 * (count - 1) + count; };
  // Threads of this process beside this one; they are taken to be threads of those pools.
  const int64_t there = running_threads() - 1;
  const int64_t wanted = beside(threads) - there;
  const int64_t startable = startable_threads(wanted);
  if (startable >= wanted) return;
  int64_t fitting = 1;
  while (beside(fitting + 1) - there <= startable) ++fitting;
  fail(ExitCode::kDevice,
       "with {} ({}) the program has to start {} more, but the system lets this process start only "
       "{} ({}); {}",
       counted(threads, "thread", "threads"), set_by, wanted, startable, limits_of_threads(),
       startable == 0 ? "raise that limit, or end other processes"
                      : fmt::format("give --threads {}, or raise that limit", fitting));
}

// Creates LibTorch's and OpenMP's threads now, right after the check that they can be created.
void start_threads(int64_t threads) {
  at::set_num_threads(static_cast<int>(threads));
  at::parallel_for(0, threads, 1, [](int64_t, int64_t) {});
}

// The index in "cuda:N"; 0 for "cuda". nullopt: not the name of a GPU.
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

at::Device device_of(const MachineOptions& machine) {
  if (machine.device == "cpu") return at::kCPU;
  if (machine.device == "auto") {
    const auto devices = static_cast<int64_t>(ops::cuda_devices().size());
    if (devices == 0) return at::kCPU;
    return {at::kCUDA, static_cast<at::DeviceIndex>(machine.group->local_rank() % devices)};
  }
  const std::optional<int> index = gpu_named(machine.device);
  if (!index) {
    fail(ExitCode::kUsage, "--device {} is unknown; use auto, cpu, cuda or cuda:N", machine.device);
  }
  return gpu(machine.device, *index);
}

int64_t set_up_machine(const MachineOptions& machine) {
  const at::Device device = device_of(machine);
  if (device.is_cuda()) ops::use_cuda_device(device.index());
  const int64_t threads = threads_of(machine), limit = openmp_thread_limit();
  if (limit > 0 && threads > limit) {
    fail(
        ExitCode::kDevice,
        "{} threads ({}) are more than OMP_THREAD_LIMIT = {} lets OpenMP start; give --threads {}, "
        "or raise it",
        threads, threads_set_by(machine), limit, limit);
  }
  refuse_more_threads_than_there_are(threads, threads_set_by(machine));
  start_threads(threads);
  return threads;
}

std::string threads_set_by(const MachineOptions& machine) {
  if (machine.threads > 0) return "--threads";
  const UsableCores usable = usable_cores();
  return threads_of(machine) == usable.count
             ? usable.set_by
             : fmt::format("{}, divided among {} processes", usable.set_by,
                           machine.group->ranks_here());
}

loader::OpenOptions open_options(const MachineOptions& machine) {
  return {threads_of(machine), machine.cache};
}

}  // namespace fcm::tasks
