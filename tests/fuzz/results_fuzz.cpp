// A COCO results file: the entries of an accepted file must be equal after writing and reading.
#include <cstdint>
#include <cstdlib>

#include "fcm/base/error.h"
#include "fcm/eval/coco_results.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<fcm::eval::CocoEntry> entries;
  try {
    entries = fcm::eval::parse_coco_results({reinterpret_cast<const char*>(data), size}, "fuzz");
  } catch (const fcm::Error&) {
    return 0;
  }
  // An exception here is a finding, because the written text must be readable.
  if (fcm::eval::parse_coco_results(fcm::eval::coco_results_text(entries), "") != entries) {
    std::abort();
  }
  return 0;
}
