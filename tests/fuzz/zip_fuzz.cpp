// A .pth file: the directory of its zip archive, and then the whole file.
#include <cstdint>
#include <cstdlib>

#include "fcm/base/error.h"
#include "fcm/formats/pth.h"
#include "fcm/formats/zip_directory.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  try {
    const fcm::formats::ZipDirectory directory = fcm::formats::parse_zip(bytes, "fuzz");
    size_t total = 0;
    for (const fcm::formats::ZipMember& member : directory.members()) {
      total += member.bytes.size();
    }
    if (total > size) std::abort();  // members overlap
  } catch (const fcm::Error&) {
  }
  try {
    fcm::formats::parse_pth(bytes, "fuzz");
  } catch (const fcm::Error&) {
  }
  return 0;
}
