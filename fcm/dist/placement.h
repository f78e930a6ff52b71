// Which of how many processes this one is, as whoever started it says in the environment: torchrun,
// Slurm, `fastconvmae launch`, or a person.
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
  bool hosted = false;    // the store runs already, in whoever started the ranks; else in rank 0
  int64_t restart = 0;    // how often this group was started before, at the same store
  std::string interface;  // of the network, by which the ranks speak; empty: found out
  std::string told_by;    // "torchrun", "Slurm", "RANK and WORLD_SIZE"; empty: nobody

  bool on_one_machine() const { return local_size == size; }
};

// The value of a variable of the environment; none: it is not set.
using Environment = std::function<std::optional<std::string>(const char* name)>;

// RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT, as torchrun and `launch` set them (with
// LOCAL_RANK, LOCAL_WORLD_SIZE, TORCHELASTIC_RESTART_COUNT, TORCHELASTIC_USE_AGENT_STORE) and as
// anybody may; else SLURM_PROCID, SLURM_NTASKS, SLURM_JOB_NODELIST, SLURM_LOCALID of a process that
// srun started; else one process. GLOO_SOCKET_IFNAME names an interface. Throws Error(kUsage) where
// one of them is missing or wrong.
Placement placement_from(const Environment& environment);

// "gpu[03-05,9]-x,cpu1" -> "gpu03-x". Throws Error(kUsage) where it holds no name.
std::string first_host(const std::string& node_list);

}  // namespace fcm::dist
