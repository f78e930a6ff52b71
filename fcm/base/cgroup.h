// What control groups leave to this process: the limits that containers, batch systems and systemd
// set. Both versions of them; the own group and every one above it that can be seen from here.
#pragma once

#include <filesystem>
#include <limits>
#include <string>

namespace fcm {

struct GroupLimit {
  double value = std::numeric_limits<double>::infinity();  // none
  std::string file;                                        // which says so
};

struct GroupLimits {
  GroupLimit cores;    // time of processors over time, such as 1.5
  GroupLimit memory;   // bytes
  GroupLimit threads;  // threads and processes of the group together
};

// The smallest of each. Where something cannot be read there is no limit. `root`: what takes the
// place of "/", for tests.
GroupLimits group_limits(const std::filesystem::path& root = "/");

}  // namespace fcm
