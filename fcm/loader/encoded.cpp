#include "fcm/loader/encoded.h"

#include "fcm/base/error.h"

namespace fcm::loader {

image::Image EncodedDataset::get(int64_t index, int64_t channels) const {
  const std::string file = read(index);
  try {
    return image::decode({reinterpret_cast<const uint8_t*>(file.data()), file.size()}, channels);
  } catch (const Error& error) {
    fail(error.code(), "{}: {}", name(index), error.what());
  }
}

}  // namespace fcm::loader
