#pragma once

#include <cstdint>

#include "fcm/loader/dataset.h"
#include "fcm/tasks/tasks.h"

namespace fcm::tasks {

// Takes --device and --threads into force and returns the number of threads. Throws Error(kDevice)
// for a device this build does not have, Error(kUsage) for a name that is none.
int64_t set_up_machine(const Machine& machine);

// How this machine opens data sets.
loader::OpenOptions open_options(const Machine& machine);

}  // namespace fcm::tasks
