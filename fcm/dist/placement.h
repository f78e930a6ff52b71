// Rank and size of this process's group, as the environment says: set by torchrun, Slurm,
// `fastconvmae launch`, or by hand.
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
  bool hosted = false;    // true: the process that started the ranks hosts the store; else rank 0
  int64_t restart = 0;    // number of earlier starts of this group with the same store
  std::string interface;  // network interface for the ranks' traffic; empty: detected
  std::string source;     // "torchrun", "Slurm", "RANK and WORLD_SIZE"; empty: none of them

  bool on_one_machine() const { return local_size == size; }
};

// The value of an environment variable; nullopt: not set.
using Environment = std::function<std::optional<std::string>(const char* name)>;

// Uses RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT, as set by torchrun, by `launch` (both with
// LOCAL_RANK, LOCAL_WORLD_SIZE, TORCHELASTIC_RESTART_COUNT, TORCHELASTIC_USE_AGENT_STORE) or by
// hand; else SLURM_PROCID, SLURM_NTASKS, SLURM_JOB_NODELIST, SLURM_LOCALID of a process started by
// srun; else one process. GLOO_SOCKET_IFNAME names an interface. Throws Error(kUsage) if one of
// them is missing or wrong.
Placement placement_from(const Environment& environment);

// "gpu[03-05,9]-x,cpu1" -> "gpu03-x". Throws Error(kUsage) if there is no name in it.
std::string first_host(const std::string& node_list);

}  // namespace fcm::dist
