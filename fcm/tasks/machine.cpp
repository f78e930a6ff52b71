#include "fcm/tasks/machine.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <thread>

#include "fcm/base/error.h"

namespace fcm::tasks {

int64_t set_up_machine(const Machine& machine) {
  if (machine.device.starts_with("cuda")) {
    fail(ExitCode::kDevice, "--device {}: this program was built without CUDA; use --device cpu",
         machine.device);
  }
  if (machine.device != "auto" && machine.device != "cpu") {
    fail(ExitCode::kUsage, "--device {} is unknown; use auto or cpu", machine.device);
  }
  const auto cores = static_cast<int64_t>(std::thread::hardware_concurrency());
  const int64_t threads = machine.threads > 0 ? machine.threads : std::max<int64_t>(cores, 1);
  at::set_num_threads(static_cast<int>(threads));
  return threads;
}

}  // namespace fcm::tasks
