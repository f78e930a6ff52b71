// The system calls that change files. Each is retried after EINTR and has a failpoint before and
// after it (failpoint.h). They return what the system returns: -1 and errno on failure. All files
// that must survive a crash are written through these.
//
// `who` names the caller in failpoints and must be a literal: "checkpoint", "log", "file".
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <span>

namespace fcm::system_call {

// Throws Error(kDevice) if a limit of open files is reached, because callers report every other
// failure as a problem of the file.
int open(const char* who, const std::filesystem::path& path, int flags, mode_t mode = 0666);
// May write fewer bytes than given. `path` is only for failpoints.
ssize_t write(const char* who, int file, std::span<const std::byte> bytes,
              const std::filesystem::path& path);
int fsync(const char* who, int file, const std::filesystem::path& path);
int truncate(const char* who, int file, off_t size, const std::filesystem::path& path);
int rename(const char* who, const std::filesystem::path& from, const std::filesystem::path& to);
// Swaps two paths atomically. EINVAL or ENOSYS: this file system does not support it.
int exchange(const char* who, const std::filesystem::path& one, const std::filesystem::path& other);
int unlink(const char* who, const std::filesystem::path& path);
int rmdir(const char* who, const std::filesystem::path& path);
int mkdir(const char* who, const std::filesystem::path& path);

}  // namespace fcm::system_call
