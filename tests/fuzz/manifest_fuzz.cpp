// manifest.json of a checkpoint.
#include <cstdint>
#include <string>

#include "fcm/base/error.h"
#include "fcm/checkpoint/manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  try {
    fcm::checkpoint::parse_manifest(text, "fuzz");
  } catch (const fcm::Error&) {
  }
  return 0;
}
