#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "fcm/loader/dataset.h"
#include "fcm/tasks/tasks.h"

namespace fcm::tasks {

// Takes --device and --threads into force and returns the number of threads. Throws Error(kDevice)
// for a device that is not there and for more threads than the system lets this process start,
// Error(kUsage) for a name that is none.
int64_t set_up_machine(const Machine& machine);

// Where that number comes from, in words: "--threads", or what base/threads.h says.
std::string threads_set_by(const Machine& machine);

// The device that --device names: "cpu", "cuda" (the first one), "cuda:1"; "auto" is the first GPU
// where there is one; of several ranks on a machine each takes the next. Throws as set_up_machine.
at::Device device_of(const Machine& machine);

// How this machine opens data sets.
loader::OpenOptions open_options(const Machine& machine);

}  // namespace fcm::tasks
