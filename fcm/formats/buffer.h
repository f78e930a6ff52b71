// An owning byte buffer. Its memory is not zeroed, because a file's bytes overwrite it at once.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

namespace fcm::formats {

// Move-only; views into it stay valid when it is moved.
class Buffer {
 public:
  Buffer() = default;
  // Uninitialised. Throws std::bad_alloc.
  explicit Buffer(size_t size);
  static Buffer copy_of(std::span<const std::byte> bytes);

  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;

  std::byte* data() { return bytes_.get(); }
  const std::byte* data() const { return bytes_.get(); }
  size_t size() const { return size_; }
  std::span<std::byte> bytes() { return {data(), size_}; }
  std::span<const std::byte> bytes() const { return {data(), size_}; }

 private:
  std::unique_ptr<std::byte[]> bytes_;
  size_t size_ = 0;
};

}  // namespace fcm::formats
