// A COCO results file: accepted entries survive writing and reading.
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
  // The written text must be readable: an exception here is a finding.
  if (fcm::eval::parse_coco_results(fcm::eval::coco_results_text(entries), "") != entries) {
    std::abort();
  }
  return 0;
}
