// Memory of this process and of its machine, as Linux tells it in /proc. Bytes; 0 where it does not
// tell.
#pragma once

namespace fcm {

double machine_memory_bytes();  // all of it, in use or not

double resident_bytes();
double peak_resident_bytes();  // the most so far

// Lets peak_resident_bytes count anew from what is resident now (proc(5), clear_refs). Returns
// whether the system allows that.
bool reset_peak_resident();

}  // namespace fcm
