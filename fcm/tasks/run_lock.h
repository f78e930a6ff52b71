// One process a run folder: two that train into one would remove each other's temporaries, and mix
// their logs.
#pragma once

#include <filesystem>

#include "fcm/base/file.h"
#include "fcm/base/reporter.h"

namespace fcm::tasks {

// In a run folder; holds "PID HOST" of the process that has the lock, or had it last. Stays when a
// run ends: who removed it could not know who is about to open it.
constexpr const char* kLockFile = ".fastconvmae-lock";

class RunLock {
 public:
  // Takes flock(2) on the folder's lock file, or throws Error(kUsage) that names the process and
  // the machine which hold it; then nothing was changed. The system gives it back when this process
  // ends, however it ends. `folder` is there. Where the file system has no such locks, one warning.
  RunLock(const std::filesystem::path& folder, Reporter& reporter);

 private:
  Descriptor file_;
};

}  // namespace fcm::tasks
