// This process and its machine: memory as Linux tells it, in bytes (0 where it does not tell), and
// the machine's name.
#pragma once

#include <string>

namespace fcm {

// "localhost" where it has none.
std::string host_name();

// All that this process may use, taken or not: what the machine has, or what the control groups of
// the process are allowed where that is less (cgroup.h).
double usable_memory_bytes();

double resident_bytes();
double peak_resident_bytes();  // the most so far

// Lets peak_resident_bytes count anew from what is resident now (proc(5), clear_refs). Returns
// whether the system allows that.
bool reset_peak_resident();

}  // namespace fcm
