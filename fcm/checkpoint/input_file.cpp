#include "fcm/checkpoint/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "fcm/base/system_call.h"

namespace fcm::checkpoint {

// Small enough to be hashed and copied while it lies in the cache.
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
    const ssize_t got = ::read(file_.get(), bytes.data(), bytes.size());
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

std::span<std::byte> InputFile::read_chunk(uint64_t at_most) {
  chunk_.resize(kChunkBytes);
  const size_t count = static_cast<size_t>(std::min<uint64_t>(kChunkBytes, at_most));
  const std::span<std::byte> bytes = std::span(chunk_).first(count);
  read(bytes);
  return bytes;
}

void InputFile::append_to(std::vector<std::byte>& data, uint64_t count) {
  // By way of a small buffer, because a vector cannot grow without being written: sizing it first
  // would touch all of its memory twice.
  while (count > 0) {
    const std::span<std::byte> bytes = read_chunk(count);
    data.insert(data.end(), bytes.begin(), bytes.end());
    count -= bytes.size();
  }
}

void InputFile::skip_rest() {
  while (left() > 0) read_chunk(left());
}

}  // namespace fcm::checkpoint
