// One process per run folder: two that train into one would remove each other's temporaries and mix
// their logs.
#pragma once

#include <filesystem>

#include "fcm/base/file.h"
#include "fcm/base/reporter.h"

namespace fcm::tasks {

// In a run folder; contains "PID HOST" of the current or last holder. Stays when a run ends:
// another process might be opening it when it is removed.
constexpr const char* kLockFile = ".fastconvmae-lock";

class RunLock {
 public:
  // Takes flock(2) on the folder's lock file, or throws Error(kUsage) with the process and machine
  // that hold it; then nothing was changed. The system releases it when this process ends in any
  // way. `folder` must exist. Only warns if the file system has no such locks.
  RunLock(const std::filesystem::path& folder, Reporter& reporter);

 private:
  Descriptor file_;
};

}  // namespace fcm::tasks
