#include "apps/memory_policy.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

namespace fcm::apps {
namespace {

uintptr_t end_of_heap() { return reinterpret_cast<uintptr_t>(::sbrk(0)); }

// LibTorch's CPU allocator, which takes memory from the heap. Each time the heap has grown,
// requests huge pages for the new part.
class HugePages final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    c10::DataPtr data = own_.allocate(bytes);
    ask();  // before the tensor's memory is accessed
    return data;
  }
  c10::DeleterFnPtr raw_deleter() const override { return own_.raw_deleter(); }
  bool is_simple_data_ptr(const c10::DataPtr& data) const override {
    return own_.is_simple_data_ptr(data);
  }
  void copy_data(void* to, const void* from, size_t bytes) const override {
    own_.copy_data(to, from, bytes);
  }

 private:
  // The heap never shrinks. Two threads may madvise the same range; that is harmless.
  void ask() {
    const uintptr_t end = end_of_heap();
    if (end <= asked_.load(std::memory_order_relaxed)) return;
    const uintptr_t begin = asked_.exchange(end);
    if (begin < end) {
      ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);  // best effort
    }
  }

  c10::Allocator& own_ = *c10::GetDefaultCPUAllocator();
  std::atomic<uintptr_t> asked_ = end_of_heap();
};

}  // namespace

void keep_memory() {
  ::mallopt(M_MMAP_MAX, 0);         // large blocks come from the heap too
  ::mallopt(M_TRIM_THRESHOLD, -1);  // the heap never shrinks
  // Grow the heap in steps of at least 32 MiB, so that there are few steps. In each step, malloc
  // writes a header to the new part before madvise is called, and the 2 MiB around this header then
  // cannot become a huge page on first access.
  ::mallopt(M_TOP_PAD, 32 << 20);
  static HugePages* const huge_pages = new HugePages;  // outlives all tensors
  c10::SetCPUAllocator(huge_pages);
}

}  // namespace fcm::apps
