// Physical cores, and the hyperthreads that share one.
#pragma once

#include <filesystem>
#include <vector>

namespace fcm {

// For each physical core, the CPU numbers of the hyperthreads on which this process may run. Empty
// if the system does not report the topology.
std::vector<std::vector<int>> physical_cores();

// physical_cores() from explicit inputs: the usable hyperthreads, and a folder with the layout of
// /sys/devices/system/cpu.
std::vector<std::vector<int>> physical_cores_from(const std::vector<int>& usable,
                                                  const std::filesystem::path& folder);

// Restricts the calling thread to the hyperthread with this CPU number. Returns false for an
// invalid number or if the operating system does not allow it.
bool bind_to_hyperthread(int number);

}  // namespace fcm
