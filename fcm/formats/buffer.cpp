#include "fcm/formats/buffer.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstring>
#include <utility>

namespace fcm::formats {
namespace {

constexpr uintptr_t kHugePage = 2 << 20;

// Requests huge pages of 2 MiB. With pages of 4 KiB, page faults would take most of the time of
// filling a large buffer.
void request_huge_pages(std::byte* data, size_t size) {
  const uintptr_t begin = reinterpret_cast<uintptr_t>(data);
  const uintptr_t first = (begin + kHugePage - 1) & ~(kHugePage - 1);
  const uintptr_t last = (begin + size) & ~(kHugePage - 1);
  if (first < last) ::madvise(data + (first - begin), last - first, MADV_HUGEPAGE);  // only a hint
}

}  // namespace

Buffer::Buffer(size_t size) : bytes_(new std::byte[size]), size_(size) {
  request_huge_pages(bytes_.get(), size);
}

Buffer Buffer::copy_of(std::span<const std::byte> bytes) {
  Buffer copy(bytes.size());
  if (!bytes.empty()) std::memcpy(copy.data(), bytes.data(), bytes.size());
  return copy;
}

Buffer::Buffer(Buffer&& other) noexcept
    : bytes_(std::move(other.bytes_)), size_(std::exchange(other.size_, 0)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  bytes_ = std::move(other.bytes_);
  size_ = std::exchange(other.size_, 0);
  return *this;
}

}  // namespace fcm::formats
