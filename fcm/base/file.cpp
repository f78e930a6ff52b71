#include "fcm/base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace fcm {
namespace {

// Owns a descriptor; closing errors of files that were synced carry no news.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

[[noreturn]] void fail_on(const char* action, const std::filesystem::path& path, ExitCode code) {
  fail(code, "cannot {} {}: {}", action, path.string(), std::strerror(errno));
}

}  // namespace

std::string read_file(const std::filesystem::path& path, ExitCode code) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat facts {};
  if (file.get() < 0 || ::fstat(file.get(), &facts) != 0) fail_on("open", path, code);
  std::string content(static_cast<size_t>(facts.st_size), '\0');
  size_t filled = 0;
  while (filled < content.size()) {
    const ssize_t got = ::read(file.get(), content.data() + filled, content.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_on("read", path, code);
    if (got == 0) break;
    filled += static_cast<size_t>(got);
  }
  content.resize(filled);
  return content;
}

void write_file_durably(const std::filesystem::path& path, std::string_view content,
                        ExitCode code) {
  const std::filesystem::path temporary = path.string() + ".tmp";
  {
    const Descriptor file(
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
    if (file.get() < 0) fail_on("create", temporary, code);
    while (!content.empty()) {
      const ssize_t put = ::write(file.get(), content.data(), content.size());
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) {
        const int reason = errno;
        ::unlink(temporary.c_str());
        errno = reason;
        fail_on("write", temporary, code);
      }
      content.remove_prefix(static_cast<size_t>(put));
    }
    if (::fsync(file.get()) != 0) fail_on("sync", temporary, code);
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) fail_on("rename into place", path, code);
  sync_folder(path.has_parent_path() ? path.parent_path() : std::filesystem::path("."), code);
}

void sync_folder(const std::filesystem::path& folder, ExitCode code) {
  const Descriptor handle(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (handle.get() < 0 || ::fsync(handle.get()) != 0) fail_on("sync folder", folder, code);
}

}  // namespace fcm
