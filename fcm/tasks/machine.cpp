#include "fcm/tasks/machine.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <thread>

#include "fcm/base/error.h"

namespace fcm::tasks {

namespace {

int64_t threads_of(const Machine& machine) {
  if (machine.threads > 0) return machine.threads;
  return std::max<int64_t>(std::thread::hardware_concurrency(), 1);
}

}  // namespace

int64_t set_up_machine(const Machine& machine) {
  if (machine.device.starts_with("cuda")) {
    fail(ExitCode::kDevice, "--device {}: this program was built without CUDA; use --device cpu",
         machine.device);
  }
  if (machine.device != "auto" && machine.device != "cpu") {
    fail(ExitCode::kUsage, "--device {} is unknown; use auto or cpu", machine.device);
  }
  const int64_t threads = threads_of(machine);
  at::set_num_threads(static_cast<int>(threads));
  return threads;
}

loader::OpenOptions open_options(const Machine& machine) {
  return {threads_of(machine), machine.cache};
}

}  // namespace fcm::tasks
