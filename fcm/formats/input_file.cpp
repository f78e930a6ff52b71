#include "fcm/formats/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <future>
#include <system_error>
#include <vector>

#include "fcm/base/system_call.h"
#include "fcm/base/threads.h"

namespace fcm::formats {
namespace {

[[noreturn]] void cannot(const char* action, const std::string& file, int reason) {
  const std::string sentence =
      fmt::format("cannot {} {}: {}", action, printable(file), std::strerror(reason));
  if (reason == ENOENT || reason == ENOTDIR) throw Error(ExitCode::kCheckpoint, sentence);
  throw CannotRead(ExitCode::kCheckpoint, sentence);
}

}  // namespace

// Bytes per read; few enough to stay in cache until they are hashed.
constexpr size_t kReadBytes = 256 << 10;
constexpr size_t kChunkBytes = 4 << 20;  // per turn of a thread: two huge pages
constexpr int64_t kMaxReaders = 4;

InputFile::InputFile(const std::filesystem::path& path, Digest* digest, int64_t threads)
    : path_(path),
      digest_(digest),
      threads_(threads > 0 ? threads : usable_cores().count),
      file_(system_call::open("read", path, O_RDONLY | O_NONBLOCK | O_NOCTTY)) {
  struct stat facts {};
  if (!file_.is_open() || ::fstat(file_.get(), &facts) != 0) {
    cannot("open", name(), errno);
  }
  if (!S_ISREG(facts.st_mode)) {
    fail(ExitCode::kCheckpoint, "{} is not a regular file", name());
  }
  size_ = static_cast<uint64_t>(facts.st_size);
  ::posix_fadvise(file_.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
}

size_t InputFile::read_some(std::span<std::byte> bytes, uint64_t position) const {
  while (true) {
    const ssize_t got =
        ::pread(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(position));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) cannot("read", name(), errno);
    if (got == 0) {
      fail(ExitCode::kCheckpoint, "{} ends at byte {}, expected {} bytes", name(), position, size_);
    }
    return static_cast<size_t>(got);
  }
}

void InputFile::read(std::span<std::byte> bytes) {
  if (digest_ == nullptr && bytes.size() >= 2 * kChunkBytes) {
    read_by_threads(bytes);
    position_ += bytes.size();
    return;
  }
  while (!bytes.empty()) {
    const size_t count = read_some(bytes.first(std::min(kReadBytes, bytes.size())), position_);
    if (digest_ != nullptr) digest_->update(bytes.first(count));
    position_ += count;
    bytes = bytes.subspan(count);
  }
}

// Page faults of fresh memory take most of the time; several threads handle them in parallel.
void InputFile::read_by_threads(std::span<std::byte> bytes) const {
  std::atomic<size_t> next{0};
  const auto work = [&] {
    for (size_t begin = 0; (begin = next.fetch_add(kChunkBytes)) < bytes.size();) {
      std::span<std::byte> piece =
          bytes.subspan(begin, std::min(kChunkBytes, bytes.size() - begin));
      for (uint64_t place = position_ + begin; !piece.empty();) {
        const size_t count = read_some(piece, place);
        place += count;
        piece = piece.subspan(count);
      }
    }
  };
  const int64_t most = std::min(threads_, kMaxReaders) - 1;
  std::vector<std::future<void>> helpers;
  helpers.reserve(static_cast<size_t>(most));
  try {
    while (std::ssize(helpers) < most) helpers.push_back(std::async(std::launch::async, work));
  } catch (const std::system_error&) {  // no more threads available: fewer threads read everything
  }
  work();
  for (std::future<void>& helper : helpers) helper.get();
}

void InputFile::skip_rest() {
  std::vector<std::byte> chunk(kReadBytes);
  while (left() > 0) {
    read(std::span(chunk).first(static_cast<size_t>(std::min<uint64_t>(kReadBytes, left()))));
  }
}

}  // namespace fcm::formats
