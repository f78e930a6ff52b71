// Reads rank and size of this process's group from environment variables, which torchrun, Slurm,
// `fastconvmae launch` or the user sets.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace fcm::dist {

struct Placement {
  int64_t rank = 0, size = 1;
  int64_t local_rank = 0, local_size = 1;  // among the ranks on this machine
  std::string address;                     // of the store where the ranks meet
  int64_t port = 0;
  bool hosted = false;    // the process that started the ranks hosts the store; false: rank 0 does
  int64_t restart = 0;    // how often this group was started before with the same store
  std::string interface;  // network interface for the ranks' traffic; empty: detected
  std::string source;     // "torchrun", "Slurm", "RANK and WORLD_SIZE"; empty: none of them

  bool on_one_machine() const { return local_size == size; }
};

// The value of an environment variable; nullopt: not set.
using Environment = std::function<std::optional<std::string>(const char* name)>;

// If RANK or WORLD_SIZE is set: uses RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT, which torchrun,
// `launch` or the user sets, and LOCAL_RANK, LOCAL_WORLD_SIZE, TORCHELASTIC_RESTART_COUNT and
// TORCHELASTIC_USE_AGENT_STORE, which torchrun and `launch` set as well. Else, in a process that
// srun started: SLURM_PROCID, SLURM_NTASKS, SLURM_JOB_NODELIST, SLURM_LOCALID and, if set, other
// variables of Slurm, MASTER_ADDR and MASTER_PORT. Else: one process. GLOO_SOCKET_IFNAME names a
// network interface. Throws Error(kUsage) if a variable is missing or wrong.
Placement placement_from(const Environment& environment);

// The first host of a Slurm node list: "gpu[03-05,9]-x,cpu1" -> "gpu03-x". Throws Error(kUsage) if
// the list has no host.
std::string first_host(const std::string& node_list);

}  // namespace fcm::dist
