// Allocates tensors between protected pages: an access past the end (of the size rounded up to 16
// bytes), or more than a page before the start, ends the program. New memory is filled with NaN.
#pragma once

#include <c10/core/Allocator.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <map>
#include <mutex>
#include <new>

namespace fcm::test::emulator {

class GuardedMemory final : public c10::Allocator {
 public:
  static GuardedMemory& get() {
    static GuardedMemory memory;
    return memory;
  }

  // The context equals the data pointer, because LibTorch requires it for raw_deleter().
  c10::DataPtr allocate(size_t bytes) override {
    if (bytes == 0) return {nullptr, nullptr, release, c10::Device(c10::kCPU)};
    const size_t page = page_bytes(), inner = (bytes + page - 1) / page * page;
    void* mapped =
        mmap(nullptr, inner + 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) throw std::bad_alloc();
    auto* first = static_cast<unsigned char*>(mapped);
    std::memset(first + page, 0xff, inner);
    mprotect(first, page, PROT_NONE);
    mprotect(first + page + inner, page, PROT_NONE);
    void* data = first + page + inner - (bytes + 15) / 16 * 16;  // aligned to 16 bytes for kernels
    const std::lock_guard lock(mutex_);
    mappings_[data] = {mapped, inner + 2 * page};
    return {data, data, release, c10::Device(c10::kCPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return release; }
  void copy_data(void* to, const void* from, size_t bytes) const override {
    std::memcpy(to, from, bytes);
  }

 private:
  struct Mapping {
    void* begin;
    size_t bytes;
  };

  static size_t page_bytes() { return static_cast<size_t>(sysconf(_SC_PAGESIZE)); }

  static void release(void* data) {
    if (data == nullptr) return;
    GuardedMemory& memory = get();
    const std::lock_guard lock(memory.mutex_);
    const auto found = memory.mappings_.find(data);
    munmap(found->second.begin, found->second.bytes);
    memory.mappings_.erase(found);
  }

  std::mutex mutex_;
  std::map<void*, Mapping> mappings_;
};

}  // namespace fcm::test::emulator
