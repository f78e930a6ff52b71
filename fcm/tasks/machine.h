#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "fcm/loader/dataset.h"
#include "fcm/tasks/tasks.h"

namespace fcm::tasks {

// Applies --device and --threads, and returns the number of threads. Throws Error(kDevice) if the
// device does not exist or the system does not let this process start that many threads,
// Error(kUsage) for an invalid name.
int64_t set_up_machine(const MachineOptions& machine);

// What determined the number of threads: "--threads", or the source that base/threads.h names, and
// whether the cores are divided among the processes of this machine.
std::string threads_set_by(const MachineOptions& machine);

// The device that --device names: "cpu", "cuda" (the first GPU), "cuda:1". "auto" is a GPU if there
// is one; the ranks on one machine are then distributed over its GPUs. Throws like set_up_machine.
at::Device device_of(const MachineOptions& machine);

// Options for opening data sets on this machine.
loader::OpenOptions open_options(const MachineOptions& machine);

}  // namespace fcm::tasks
