// A pickle: the machine that runs its opcodes, and the tree of values that they build.
#include <cstdint>

#include "fcm/base/error.h"
#include "fcm/formats/pickle_interpreter.h"
#include "fcm/formats/pickle_tree.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace fcm::formats;
  try {
    expand(run_pickle(std::as_bytes(std::span(data, size)), "fuzz"), "fuzz");
  } catch (const fcm::Error&) {
  }
  return 0;
}
