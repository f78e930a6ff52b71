// A safetensors file: the length of its header, the header, and the data.
#include <cstdint>
#include <cstdlib>

#include "fcm/base/error.h"
#include "fcm/formats/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace fcm::formats;
  try {
    const TensorFile file = parse_safetensors(std::as_bytes(std::span(data, size)), "fuzz");
    size_t total = 0;
    for (const TensorView& tensor : file.tensors) total += tensor.bytes.size();
    if (total > size) std::abort();  // tensors overlap
  } catch (const fcm::Error&) {
  }
  return 0;
}
