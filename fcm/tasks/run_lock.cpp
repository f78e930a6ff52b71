#include "fcm/tasks/run_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <sstream>
#include <string>

#include "fcm/base/error.h"
#include "fcm/base/process.h"
#include "fcm/base/system_call.h"

namespace fcm::tasks {
namespace fs = std::filesystem;
namespace {

constexpr const char* kLockCalls = "lock";

int try_lock(int file) {
  int result = 0;
  do {
    result = ::flock(file, LOCK_EX | LOCK_NB);
  } while (result != 0 && errno == EINTR);
  return result;
}

[[noreturn]] void fail_for_holder(const fs::path& folder) {
  std::string process, host, holder = "another process";
  try {
    std::istringstream text(read_file(folder / kLockFile, ExitCode::kUsage));
    if (text >> process >> host) holder = fmt::format("process {} on {}", process, host);
  } catch (const Error&) {  // unreadable, but there is a holder
  }
  fail(ExitCode::kUsage,
       "{} is in use by {}; wait until that ends, stop it, or choose another --out",
       folder.string(), holder);
}

// Whether the opened file is still the one at `path`: another process may have removed the run
// meanwhile.
bool is_current(int file, const fs::path& path) {
  struct stat opened {
  }, named{};
  return ::fstat(file, &opened) == 0 && ::lstat(path.c_str(), &named) == 0 &&
         opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

}  // namespace

RunLock::RunLock(const fs::path& folder, Reporter& reporter) {
  const fs::path path = folder / kLockFile;
  bool locked = false;
  do {
    file_ = Descriptor(system_call::open(kLockCalls, path, O_RDWR | O_CREAT | O_NOFOLLOW));
    if (!file_.is_open()) {
      fail(ExitCode::kUsage, "cannot open {}: {}", path.string(), std::strerror(errno));
    }
    locked = try_lock(file_.get()) == 0;
    if (!locked && errno == EWOULDBLOCK) fail_for_holder(folder);
    if (!locked) {
      reporter.warn(
          fmt::format("{}: this file system has no locks ({}); make sure that no other process "
                      "trains in {}",
                      path.string(), std::strerror(errno), folder.string()));
    }
  } while (locked && !is_current(file_.get(), path));
  // The text tells other processes who holds the lock. If it cannot be written, the lock still
  // works.
  const std::string text = fmt::format("{} {}\n", ::getpid(), host_name());
  system_call::write(kLockCalls, file_.get(), std::as_bytes(std::span(text)), path);
  system_call::truncate(kLockCalls, file_.get(), std::ssize(text), path);
}

}  // namespace fcm::tasks
