// How many threads this process may use, and how many it can start.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "fcm/base/cgroup.h"

namespace fcm {

struct UsableCores {
  int64_t count = 1;
  std::string set_by;  // what is behind the count, in words
};

// In which `launch` tells each of its processes how many cores are its.
constexpr const char* kLaunchThreads = "FASTCONVMAE_LAUNCH_THREADS";

// The smallest of: the cores of the machine, those that the process is bound to (taskset, a
// cpuset), the time that its control groups have (rounded up), kLaunchThreads, OMP_NUM_THREADS,
// OMP_THREAD_LIMIT, and what a batch system says in SLURM_CPUS_PER_TASK, SLURM_CPUS_ON_NODE, NCPUS (PBS) or
// LSB_DJOB_NUMPROC. At least 1.
UsableCores usable_cores();

// OMP_THREAD_LIMIT, beyond which OpenMP starts no thread and says nothing; 0: there is none.
int64_t openmp_thread_limit();

int64_t running_threads();  // of this process

// Starts that many threads at once and ends them again. Returns how many could be started; none
// for a number below 1.
int64_t startable_threads(int64_t wanted);

// What may be in the way of more of them, in words: "pids.max of ... is 6, ulimit -u is 1000".
std::string limits_of_threads();

// usable_cores() from given facts: `bound` is the number of cores that the process is bound to, 0
// where that is not known; `environment` gives a variable's value, or nullptr.
using Environment = std::function<const char*(const char* name)>;
UsableCores usable_cores_from(int64_t machine, int64_t bound, const GroupLimit& quota,
                              const Environment& environment);

}  // namespace fcm
