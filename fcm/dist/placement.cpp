#include "fcm/dist/placement.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "fcm/base/error.h"

namespace fcm::dist {
namespace {

constexpr int64_t kMostRanks = 1 << 20;

std::optional<std::string> given(const Environment& environment, const char* name) {
  std::optional<std::string> value = environment(name);
  if (value && value->empty()) return std::nullopt;
  return value;
}

int64_t number_in(const std::string& name, const std::string& text, int64_t low, int64_t high) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  if (!whole || value < low || value > high) {
    fail(ExitCode::kUsage, "the environment has {}={}; expected an integer from {} to {}", name,
         text, low, high);
  }
  return value;
}

// The value of a variable that must be set, since the variable `because` is set.
std::string needed(const Environment& environment, const char* name, const char* because) {
  const auto value = given(environment, name);
  if (!value) {
    fail(ExitCode::kUsage,
         "the environment has {} but no {}; several processes need both (unset {} to run alone)",
         because, name, because);
  }
  return *value;
}

int64_t needed_number(const Environment& environment, const char* name, const char* because,
                      int64_t low, int64_t high) {
  return number_in(name, needed(environment, name, because), low, high);
}

int64_t number_or(const Environment& environment, const char* name, int64_t otherwise, int64_t low,
                  int64_t high) {
  const auto value = given(environment, name);
  return value ? number_in(name, *value, low, high) : otherwise;
}

bool is_loopback(const std::string& address) {
  return address == "localhost" || address == "::1" || address.starts_with("127.");
}

Placement from_ranks(const Environment& environment) {
  Placement placement;
  placement.source = given(environment, "TORCHELASTIC_RUN_ID") ? "torchrun" : "RANK and WORLD_SIZE";
  placement.size = needed_number(environment, "WORLD_SIZE", "RANK", 1, kMostRanks);
  placement.rank = needed_number(environment, "RANK", "WORLD_SIZE", 0, placement.size - 1);
  if (placement.size == 1) return placement;
  placement.address = needed(environment, "MASTER_ADDR", "WORLD_SIZE");
  placement.port = needed_number(environment, "MASTER_PORT", "WORLD_SIZE", 1, 65535);
  const bool here = is_loopback(placement.address);
  placement.local_size =
      number_or(environment, "LOCAL_WORLD_SIZE", here ? placement.size : 1, 1, placement.size);
  placement.local_rank =
      number_or(environment, "LOCAL_RANK", here ? placement.rank : 0, 0, placement.local_size - 1);
  placement.restart = number_or(environment, "TORCHELASTIC_RESTART_COUNT", 0, 0, kMostRanks);
  const auto agent = given(environment, "TORCHELASTIC_USE_AGENT_STORE");
  placement.interface = given(environment, "GLOO_SOCKET_IFNAME").value_or("");
  placement.hosted = agent && (*agent == "True" || *agent == "true" || *agent == "1");
  return placement;
}

// "8(x2),4" -> 8, 8, 4: how many tasks each machine has.
std::vector<int64_t> tasks_by_node(const std::string& name, const std::string& text) {
  std::vector<int64_t> tasks;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string entry = text.substr(begin, end - begin);
    const size_t times = entry.find("(x");
    int64_t repeats = 1;
    if (times != entry.npos) {
      repeats = number_in(name, entry.substr(times + 2, entry.size() - times - 3), 1, kMostRanks);
    }
    tasks.insert(tasks.end(), static_cast<size_t>(repeats),
                 number_in(name, entry.substr(0, times), 1, kMostRanks));
    begin = end + 1;
  }
  return tasks;
}

// The number of tasks on this machine.
int64_t slurm_local_size(const Environment& environment, const Placement& placement) {
  for (const char* name : {"SLURM_STEP_TASKS_PER_NODE", "SLURM_TASKS_PER_NODE"}) {
    const auto text = given(environment, name);
    if (!text) continue;
    const std::vector<int64_t> tasks = tasks_by_node(name, *text);
    const int64_t node = number_or(environment, "SLURM_NODEID", 0, 0, std::ssize(tasks) - 1);
    return std::min(tasks[static_cast<size_t>(node)], placement.size);
  }
  // Slurm did not say: all tasks if the list has one machine, else at least the tasks up to this
  // one.
  const std::string nodes = needed(environment, "SLURM_JOB_NODELIST", "SLURM_PROCID");
  const bool single = nodes.find_first_of(",[") == nodes.npos;
  return single ? placement.size : placement.local_rank + 1;
}

// Derived from the job number, so that two jobs on one machine do not use the same port.
int64_t slurm_port(const Environment& environment) {
  const int64_t job = number_or(environment, "SLURM_JOB_ID", 0, 0, int64_t{1} << 40);
  const int64_t step = number_or(environment, "SLURM_STEP_ID", 0, 0, int64_t{1} << 40);
  return 15000 + (job * 16 + step) % 15000;
}

Placement from_slurm(const Environment& environment) {
  Placement placement;
  placement.source = "Slurm";
  placement.size = needed_number(environment, "SLURM_NTASKS", "SLURM_PROCID", 1, kMostRanks);
  placement.rank =
      needed_number(environment, "SLURM_PROCID", "SLURM_NTASKS", 0, placement.size - 1);
  if (placement.size == 1) return placement;
  const auto address = given(environment, "MASTER_ADDR");
  placement.address =
      address ? *address : first_host(needed(environment, "SLURM_JOB_NODELIST", "SLURM_PROCID"));
  placement.port = number_or(environment, "MASTER_PORT", slurm_port(environment), 1, 65535);
  placement.local_rank =
      needed_number(environment, "SLURM_LOCALID", "SLURM_PROCID", 0, placement.size - 1);
  placement.local_size = slurm_local_size(environment, placement);
  placement.restart = number_or(environment, "SLURM_RESTART_COUNT", 0, 0, kMostRanks);
  placement.interface = given(environment, "GLOO_SOCKET_IFNAME").value_or("");
  return placement;
}

// A shell inside an allocation has Slurm's variables too, but srun did not start this process.
bool is_shell_of_slurm(const Environment& environment) {
  const std::string job = given(environment, "SLURM_JOB_NAME").value_or("");
  return job == "bash" || job == "interactive";
}

}  // namespace

Placement placement_from(const Environment& environment) {
  if (given(environment, "RANK") || given(environment, "WORLD_SIZE")) {
    return from_ranks(environment);
  }
  // A batch script also runs as process 0. Without a requested number of tasks it is one process.
  const auto process = given(environment, "SLURM_PROCID");
  const bool of_several = process && (*process != "0" || given(environment, "SLURM_NTASKS"));
  if (of_several && !is_shell_of_slurm(environment)) return from_slurm(environment);
  return {};
}

std::string first_host(const std::string& node_list) {
  std::string host;
  for (size_t i = 0; i < node_list.size() && node_list[i] != ','; ++i) {
    if (node_list[i] != '[') {
      host += node_list[i];
      continue;
    }
    const size_t close = node_list.find(']', i);
    const std::string range = node_list.substr(i + 1, close - i - 1);
    host += range.substr(0, range.find_first_of("-,"));
    if (close == node_list.npos || range.empty()) host.clear();
    if (host.empty()) break;
    i = close;
  }
  if (host.empty()) {
    fail(ExitCode::kUsage,
         "the environment has SLURM_JOB_NODELIST={}; expected a list of hosts like node[01-04]",
         node_list);
  }
  return host;
}

}  // namespace fcm::dist
