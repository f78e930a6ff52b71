#include "fcm/checkpoint/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "fcm/base/system_call.h"

namespace fcm::checkpoint {

// Small enough to be hashed while it lies in the cache.
constexpr size_t kChunkBytes = 256 << 10;

InputFile::InputFile(const std::filesystem::path& path, Digest* digest)
    : path_(path),
      digest_(digest),
      file_(system_call::open("read", path, O_RDONLY | O_NONBLOCK | O_NOCTTY)) {
  struct stat facts {};
  if (!file_.is_open() || ::fstat(file_.get(), &facts) != 0) {
    fail(ExitCode::kCheckpoint, "cannot open {}: {}", name(), std::strerror(errno));
  }
  if (!S_ISREG(facts.st_mode)) {
    fail(ExitCode::kCheckpoint, "{} is not an ordinary file", name());
  }
  size_ = static_cast<uint64_t>(facts.st_size);
  ::posix_fadvise(file_.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
}

void InputFile::read(std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t got = ::read(file_.get(), bytes.data(), std::min(kChunkBytes, bytes.size()));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(ExitCode::kCheckpoint, "cannot read {}: {}", name(), std::strerror(errno));
    if (got == 0) {
      fail(ExitCode::kCheckpoint, "{} ends at byte {}, {} were due", name(), position_, size_);
    }
    const size_t count = static_cast<size_t>(got);
    if (digest_ != nullptr) digest_->update(bytes.first(count));
    position_ += count;
    bytes = bytes.subspan(count);
  }
}

void InputFile::append_to(std::vector<std::byte>& data, uint64_t count) {
  const size_t begin = data.size();
  data.resize(begin + static_cast<size_t>(count));
  read(std::span(data).subspan(begin));
}

void InputFile::skip_rest() {
  std::vector<std::byte> chunk(kChunkBytes);
  while (left() > 0) {
    read(std::span(chunk).first(static_cast<size_t>(std::min<uint64_t>(kChunkBytes, left()))));
  }
}

}  // namespace fcm::checkpoint
