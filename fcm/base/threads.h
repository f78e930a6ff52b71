// How many threads this process may use, and how many it can start.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "fcm/base/cgroup.h"

namespace fcm {

struct UsableCores {
  int64_t count = 1;
  std::string set_by;  // the reason for the count, in words
};

// The variable in which `launch` passes each of its processes the number of cores to use.
constexpr const char* kLaunchThreads = "FASTCONVMAE_LAUNCH_THREADS";

// The smallest of: the cores of the machine, those the process is bound to (taskset, cpuset; not
// counted if OpenMP binds its threads), the CPU quota of its control groups (rounded up),
// kLaunchThreads, OMP_NUM_THREADS, OMP_THREAD_LIMIT, and the batch system's SLURM_CPUS_PER_TASK,
// SLURM_CPUS_ON_NODE, NCPUS (PBS) or LSB_DJOB_NUMPROC. At least 1.
UsableCores usable_cores();

// OMP_THREAD_LIMIT, beyond which OpenMP silently starts no more threads; 0: no limit.
int64_t openmp_thread_limit();

int64_t running_threads();  // of this process

// Tries to run `wanted` threads at once, ends them, and returns how many could be started; 0 for
// `wanted` below 1.
int64_t startable_threads(int64_t wanted);

// The limits that may prevent more threads, in words: "/sys/.../pids.max is 6, ulimit -u is 1000".
std::string limits_of_threads();

// usable_cores() from explicit inputs, for tests: `bound` is the number of cores the process is
// bound to (0: unknown); `environment` returns a variable's value or nullptr.
using Environment = std::function<const char*(const char* name)>;
UsableCores usable_cores_from(int64_t machine, int64_t bound, const GroupLimit& quota,
                              const Environment& environment);

}  // namespace fcm
