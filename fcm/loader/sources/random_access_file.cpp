#include "fcm/loader/sources/random_access_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "fcm/base/error.h"
#include "fcm/base/system_call.h"

namespace fcm::loader {

RandomAccessFile::RandomAccessFile(const std::filesystem::path& path)
    : path_(path), file_(system_call::open("read", path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
  struct stat facts {};
  if (!file_.is_open() || ::fstat(file_.get(), &facts) != 0) {
    const int reason = errno;
    std::error_code no_link;
    const std::filesystem::path target = std::filesystem::read_symlink(path_, no_link);
    fail(ExitCode::kData, "cannot open {}: {}{}", path_.string(), std::strerror(reason),
         no_link ? "" : fmt::format(" (it is a link to {})", target.string()));
  }
  if (!S_ISREG(facts.st_mode)) fail(ExitCode::kData, "{} is not a regular file", path_.string());
  identity_ = {facts.st_dev, facts.st_ino, static_cast<uint64_t>(facts.st_size),
               facts.st_mtim.tv_sec, facts.st_mtim.tv_nsec};
}

void RandomAccessFile::read(uint64_t offset, std::span<uint8_t> into) const {
  while (!into.empty()) {
    const ssize_t got = ::pread(file_.get(), into.data(), into.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(ExitCode::kData, "cannot read {}: {}", path_.string(), std::strerror(errno));
    if (got == 0) fail(ExitCode::kData, "{} ends at byte {}", path_.string(), offset);
    offset += static_cast<uint64_t>(got);
    into = into.subspan(static_cast<size_t>(got));
  }
}

}  // namespace fcm::loader
