#include "fcm/base/system_call.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "fcm/base/error.h"
#include "fcm/base/failpoint.h"

namespace fcm::system_call {
namespace {

using failpoint::Call;

// Passes the failpoint before the call, runs `action`, and passes the failpoint after it. `action`
// takes the Call, because a fault may have halved its bytes.
template <class Action>
auto attempt(Call call, const Action& action) -> decltype(action(call)) {
  if (!failpoint::detail::active.load(std::memory_order_relaxed)) return action(call);
  const failpoint::detail::Fault before = failpoint::detail::pass(call, true);
  if (before.error != 0) {
    errno = before.error;
    return -1;
  }
  if (before.shorten && call.bytes.size() > 1) call.bytes = call.bytes.first(call.bytes.size() / 2);
  const auto result = action(call);
  if (result < 0) return result;
  if (!call.bytes.empty()) call.bytes = call.bytes.first(static_cast<size_t>(result));
  failpoint::detail::report_success(call);
  const failpoint::detail::Fault after = failpoint::detail::pass(call, false);
  // Two faults are never injected after success: EINTR, because the call was not interrupted, and a
  // failing open, because its descriptor would leak.
  if (after.error != 0 && after.error != EINTR && std::string_view(call.call) != "open") {
    errno = after.error;
    return -1;
  }
  return result;
}

template <class Action>
auto guarded(const Call& call, const Action& action) -> decltype(action(call)) {
  while (true) {
    const auto result = attempt(call, action);
    if (result >= 0 || errno != EINTR) return result;
  }
}

}  // namespace

int open(const char* who, const std::filesystem::path& path, int flags, mode_t mode) {
  const int file = guarded(Call{who, "open", path.c_str()}, [&](const Call&) {
    return ::open(path.c_str(), flags | O_CLOEXEC, mode);
  });
  if (file < 0 && errno == EMFILE) {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    fail(ExitCode::kDevice,
         "cannot open {}: this process has reached its limit of {} open files; raise it (ulimit "
         "-n), or use fewer --threads",
         path.string(), limit.rlim_cur);
  }
  if (file < 0 && errno == ENFILE) {
    fail(ExitCode::kDevice,
         "cannot open {}: this machine has reached its limit of open files; close other programs, "
         "or raise fs.file-max",
         path.string());
  }
  return file;
}

ssize_t write(const char* who, int file, std::span<const std::byte> bytes,
              const std::filesystem::path& path) {
  return guarded(Call{who, "write", path.c_str(), nullptr, bytes}, [&](const Call& call) {
    return ::write(file, call.bytes.data(), call.bytes.size());
  });
}

int fsync(const char* who, int file, const std::filesystem::path& path) {
  return guarded(Call{who, "fsync", path.c_str()}, [&](const Call&) { return ::fsync(file); });
}

int truncate(const char* who, int file, off_t size, const std::filesystem::path& path) {
  return guarded(Call{who, "truncate", path.c_str()},
                 [&](const Call&) { return ::ftruncate(file, size); });
}

int rename(const char* who, const std::filesystem::path& from, const std::filesystem::path& to) {
  return guarded(Call{who, "rename", from.c_str(), to.c_str()},
                 [&](const Call&) { return ::rename(from.c_str(), to.c_str()); });
}

int exchange(const char* who, const std::filesystem::path& one,
             const std::filesystem::path& other) {
  return guarded(Call{who, "exchange", one.c_str(), other.c_str()}, [&](const Call&) {
    return ::renameat2(AT_FDCWD, one.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE);
  });
}

int unlink(const char* who, const std::filesystem::path& path) {
  return guarded(Call{who, "unlink", path.c_str()},
                 [&](const Call&) { return ::unlink(path.c_str()); });
}

int rmdir(const char* who, const std::filesystem::path& path) {
  return guarded(Call{who, "rmdir", path.c_str()},
                 [&](const Call&) { return ::rmdir(path.c_str()); });
}

int mkdir(const char* who, const std::filesystem::path& path) {
  return guarded(Call{who, "mkdir", path.c_str()},
                 [&](const Call&) { return ::mkdir(path.c_str(), 0777); });
}

}  // namespace fcm::system_call
