// A lock that allows one process per run folder. Two processes that train in one folder would
// remove each other's temporary files and mix their logs.
#pragma once

#include <filesystem>

#include "fcm/base/file.h"
#include "fcm/base/reporter.h"

namespace fcm::tasks {

// The lock file in a run folder. It contains "PID HOST" of the current or last holder. It stays
// when a run ends, because another process might open it just before the removal.
constexpr const char* kLockFile = ".fastconvmae-lock";

class RunLock {
 public:
  // Takes flock(2) on the folder's lock file. Throws Error(kUsage), which names the holding process
  // and machine, if the lock is taken. The system releases the lock when this process ends in any
  // way. `folder` must exist. If the file system has no such locks, only warns.
  RunLock(const std::filesystem::path& folder, Reporter& reporter);

 private:
  Descriptor file_;
};

}  // namespace fcm::tasks
