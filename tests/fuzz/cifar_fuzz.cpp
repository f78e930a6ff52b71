// A file of CIFAR records.
#include "fcm/base/error.h"
#include "fcm/loader/sources/sources.h"
#include "tests/fuzz/memory_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const fcm::fuzz::MemoryFile file({data, size});
  try {
    const auto set = fcm::loader::open_cifar_file(file.path());
    for (int64_t i = 0; i < set->size(); ++i) {
      const auto classes = static_cast<int64_t>(set->classes().size());
      if (set->get(i, 3).pixels.size() != 32 * 32 * 3 || set->label(i) >= classes) std::abort();
    }
  } catch (const fcm::Error&) {
  }
  return 0;
}
