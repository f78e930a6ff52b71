// Control group (cgroup v1 and v2) limits of this process, as containers, batch systems and systemd
// set them: those of its own group and of every ancestor visible from here.
#pragma once

#include <filesystem>
#include <limits>
#include <string>

namespace fcm {

struct GroupLimit {
  double value = std::numeric_limits<double>::infinity();  // no limit
  std::string file;                                        // the file that sets the limit
};

struct GroupLimits {
  GroupLimit cores;    // CPU time per wall time, such as 1.5
  GroupLimit memory;   // bytes
  GroupLimit threads;  // threads and processes in the group
};

// The smallest limit of each kind. A file that cannot be read sets no limit. Tests pass a folder as
// `root` instead of "/".
GroupLimits group_limits(const std::filesystem::path& root = "/");

}  // namespace fcm
