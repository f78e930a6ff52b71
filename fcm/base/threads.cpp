#include "fcm/base/threads.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

namespace fcm {
namespace {

// Cores that the calling thread may run on; 0 if unknown.
int64_t bound_cores() {
  // The kernel refuses a mask that is too small for the machine, so the size is doubled until it
  // fits.
  for (size_t cores = 1024; cores <= (size_t{1} << 20); cores *= 2) {
    std::vector<cpu_set_t> mask(CPU_ALLOC_SIZE(cores) / sizeof(cpu_set_t));
    const size_t bytes = mask.size() * sizeof(cpu_set_t);
    if (::sched_getaffinity(0, bytes, mask.data()) == 0) return CPU_COUNT_S(bytes, mask.data());
    if (errno != EINVAL) return 0;
  }
  return 0;
}

// Whether OpenMP bound this thread to a single core before main() began. If so, the thread's mask
// does not show the cores of the process.
bool is_bound_by_openmp(const Environment& environment) {
  const char* const bind = environment("OMP_PROC_BIND");
  if (bind != nullptr)
    return std::string_view(bind) != "false" && std::string_view(bind) != "FALSE";
  return environment("OMP_PLACES") != nullptr || environment("GOMP_CPU_AFFINITY") != nullptr;
}

// The first number of "4", or of "4,2" (nested parallelism); 0 if there is none.
int64_t first_number(const char* text) {
  const std::string_view word(text);
  int64_t number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  const bool whole = error == std::errc() && (end == word.data() + word.size() || *end == ',');
  return whole ? number : 0;
}

struct Variable {
  const char* name;
  const char* only_with;         // a variable that must be set too, else `name` is ambiguous
  const char* set_by = nullptr;  // shown in messages instead of `name`
};
constexpr const char* kThreadLimit = "OMP_THREAD_LIMIT";
constexpr Variable kVariables[] = {
    {kLaunchThreads, nullptr, "launch, which divides the cores among its processes"},
    {"OMP_NUM_THREADS", nullptr},
    {kThreadLimit, nullptr},
    {"SLURM_CPUS_PER_TASK", nullptr},
    {"SLURM_CPUS_ON_NODE", nullptr},
    {"NCPUS", "PBS_JOBID"},
    {"LSB_DJOB_NUMPROC", nullptr}};

}  // namespace

UsableCores usable_cores_from(int64_t machine, int64_t bound, const GroupLimit& quota,
                              const Environment& environment) {
  UsableCores cores{std::max<int64_t>(machine, 1), "the cores of this machine"};
  const auto lower = [&](int64_t count, const std::string& set_by) {
    if (count > 0 && count < cores.count) cores = {count, set_by};
  };
  if (!is_bound_by_openmp(environment)) lower(bound, "the cores that the process is bound to");
  if (std::isfinite(quota.value)) {
    // Rounds up, but an inexact quotient of quota and period must not add a core.
    const double count = std::clamp(std::ceil(quota.value - 1e-6), 1.0, 1e6);
    lower(static_cast<int64_t>(count), quota.file);
  }
  for (const Variable& variable : kVariables) {
    if (variable.only_with != nullptr && environment(variable.only_with) == nullptr) continue;
    const char* const value = environment(variable.name);
    if (value != nullptr) {
      lower(first_number(value), variable.set_by != nullptr ? variable.set_by : variable.name);
    }
  }
  return cores;
}

UsableCores usable_cores() {
  return usable_cores_from(std::thread::hardware_concurrency(), bound_cores(), group_limits().cores,
                           [](const char* name) { return std::getenv(name); });
}

int64_t openmp_thread_limit() {
  const char* const value = std::getenv(kThreadLimit);
  return value == nullptr ? 0 : std::max<int64_t>(first_number(value), 0);
}

int64_t running_threads() {
  std::error_code unknown;  // without /proc the count is 1
  int64_t count = 0;
  for (std::filesystem::directory_iterator task("/proc/self/task", unknown), end;
       !unknown && task != end; task.increment(unknown)) {
    ++count;
  }
  return std::max<int64_t>(count, 1);
}

int64_t startable_threads(int64_t wanted) {
  std::mutex mutex;
  std::condition_variable ended;
  bool end = false;
  std::vector<std::thread> threads;
  threads.reserve(static_cast<size_t>(std::max<int64_t>(wanted, 0)));
  try {
    while (std::ssize(threads) < wanted) {
      threads.emplace_back([&] {
        std::unique_lock lock(mutex);
        ended.wait(lock, [&] { return end; });
      });
    }
  } catch (const std::system_error&) {  // no more threads can be started
  }
  {
    const std::lock_guard lock(mutex);
    end = true;
  }
  ended.notify_all();
  for (std::thread& thread : threads) thread.join();
  return std::ssize(threads);
}

std::string limits_of_threads() {
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
  const GroupLimit group = group_limits().threads;
  if (std::isfinite(group.value)) add(fmt::format("{} is {:.0f}", group.file, group.value));
  rlimit limit{};
  if (::getrlimit(RLIMIT_NPROC, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    add(fmt::format("ulimit -u is {}", limit.rlim_cur));
  }
  if (::getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    add(fmt::format("ulimit -v is {}", limit.rlim_cur / 1024));
  }
  return text.empty() ? "no known limit explains it" : text;
}

}  // namespace fcm
