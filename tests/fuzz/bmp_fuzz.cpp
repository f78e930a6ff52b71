// A BMP file. The input is the file without its first two bytes, which the target adds.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/image/image.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<uint8_t> file{'B', 'M'};
  file.insert(file.end(), data, data + size);
  try {
    const auto image = fcm::image::decode(file, 3, {1 << 20});
    if (image.pixels.size() != static_cast<size_t>(image.rows * image.cols * 3)) std::abort();
  } catch (const fcm::Error&) {
  }
  return 0;
}
