// A tar shard: reading its members and grouping them into samples.
#include "fcm/base/error.h"
#include "fcm/loader/sources/tar_samples.h"
#include "tests/fuzz/memory_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const fcm::fuzz::MemoryFile file({data, size});
  try {
    const auto contents = fcm::loader::contents_of_tar(fcm::loader::RandomAccessFile(file.path()));
    for (const auto& sample : contents.samples) {
      if (sample.begin > size || sample.size > size - sample.begin) std::abort();
      if (sample.fault.empty() && !sample.has_image) std::abort();
    }
  } catch (const fcm::Error&) {
  }
  return 0;
}
