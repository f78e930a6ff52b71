// This process and its machine: memory in bytes as Linux reports it (0 if unknown), and the host
// name.
#pragma once

#include <string>

namespace fcm {

// "localhost" if the machine has no name.
std::string host_name();

// Memory this process may use, in use or not: the machine's total, or the limit of the process's
// control groups (cgroup.h) if that is lower.
double usable_memory_bytes();

double resident_bytes();
double peak_resident_bytes();  // high-water mark

// Resets the peak to the current resident size (proc(5), clear_refs). Returns whether the system
// allows that.
bool reset_peak_resident();

}  // namespace fcm
