#include "fcm/base/process.h"

#include <fstream>
#include <string>

namespace fcm {
namespace {

// A "Name:   123 kB" line of a file of /proc.
double bytes_of_line(const char* file, const std::string& name) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(name + ":")) return 1024.0 * std::stod(line.substr(name.size() + 1));
  }
  return 0;
}

}  // namespace

double machine_memory_bytes() { return bytes_of_line("/proc/meminfo", "MemTotal"); }

double resident_bytes() { return bytes_of_line("/proc/self/status", "VmRSS"); }

double peak_resident_bytes() { return bytes_of_line("/proc/self/status", "VmHWM"); }

bool reset_peak_resident() {
  std::ofstream marks("/proc/self/clear_refs");
  marks << "5" << std::flush;
  return marks.good();
}

}  // namespace fcm
