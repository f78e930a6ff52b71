#include "fcm/base/process.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cmath>
#include <fstream>
#include <string>

#include "fcm/base/cgroup.h"

namespace fcm {
namespace {

// The value in bytes of a "Name:   123 kB" line of a /proc file; 0 if there is no such line.
double bytes_of_line(const char* file, const std::string& name) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(name + ":")) return 1024.0 * std::stod(line.substr(name.size() + 1));
  }
  return 0;
}

}  // namespace

std::string host_name() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "localhost";
  return name.data();
}

double usable_memory_bytes() {
  const double machine = bytes_of_line("/proc/meminfo", "MemTotal"),
               group = group_limits().memory.value;
  if (machine == 0) return std::isfinite(group) ? group : 0;
  return std::min(machine, group);
}

double resident_bytes() { return bytes_of_line("/proc/self/status", "VmRSS"); }

double peak_resident_bytes() { return bytes_of_line("/proc/self/status", "VmHWM"); }

bool reset_peak_resident() {
  std::ofstream marks("/proc/self/clear_refs");
  marks << "5" << std::flush;
  return marks.good();
}

}  // namespace fcm
