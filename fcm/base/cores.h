// Physical cores, and the hyperthreads that share one.
#pragma once

#include <filesystem>
#include <vector>

namespace fcm {

// The hyperthreads of each physical core on which this process may run, by the numbers that the
// system has for them; empty where the system does not tell.
std::vector<std::vector<int>> physical_cores();

// The same from given facts: the hyperthreads that may be used, and a folder like
// /sys/devices/system/cpu.
std::vector<std::vector<int>> physical_cores_from(const std::vector<int>& usable,
                                                  const std::filesystem::path& folder);

// The calling thread runs there alone from then on. False: the system refuses.
bool bind_to_hyperthread(int number);

}  // namespace fcm
