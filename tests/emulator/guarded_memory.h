// Tensors between pages that may not be touched: an access behind the last element, or far before
// the first, ends the program. What is allocated begins as NaN.
#pragma once

#include <c10/core/Allocator.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <new>

namespace fcm::test::emulator {

class GuardedMemory final : public c10::Allocator {
 public:
  static GuardedMemory& get() {
    static GuardedMemory memory;
    return memory;
  }

  c10::DataPtr allocate(size_t bytes) override {
    if (bytes == 0) return {nullptr, nullptr, release, c10::Device(c10::kCPU)};
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t inner = (bytes + page - 1) / page * page;
    void* mapped =
        mmap(nullptr, inner + 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) throw std::bad_alloc();
    auto* first = static_cast<unsigned char*>(mapped);  // a page for the size, a forbidden one
    std::memcpy(first, &inner, sizeof inner);
    std::memset(first + 2 * page, 0xff, inner);
    mprotect(first + page, page, PROT_NONE);
    mprotect(first + 2 * page + inner, page, PROT_NONE);
    const size_t used = (bytes + 15) / 16 * 16;  // as far back as 16-byte accesses need
    return {first + 2 * page + inner - used, mapped, release, c10::Device(c10::kCPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return nullptr; }  // data is not the context
  void copy_data(void* to, const void* from, size_t bytes) const override {
    std::memcpy(to, from, bytes);
  }

 private:
  static void release(void* mapped) {
    if (mapped == nullptr) return;
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    size_t inner = 0;
    std::memcpy(&inner, mapped, sizeof inner);
    munmap(mapped, inner + 3 * page);
  }
};

}  // namespace fcm::test::emulator
