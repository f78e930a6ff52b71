#include "fcm/loader/sources/encoded.h"

#include "fcm/base/error.h"

namespace fcm::loader {

image::Image EncodedDataset::get(int64_t index, int64_t channels) const {
  const auto whole = [](int64_t rows, int64_t cols) { return image::Box{0, 0, rows, cols}; };
  return get_section(index, channels, whole).picture;
}

image::Section EncodedDataset::get_section(int64_t index, int64_t channels,
                                           const image::ChooseBox& choose) const {
  const std::string file = read(index);
  try {
    return image::decode_section({reinterpret_cast<const uint8_t*>(file.data()), file.size()},
                                 channels, choose);
  } catch (const Error& error) {
    fail(error.code(), "{}: {}", name(index), error.what());
  }
}

}  // namespace fcm::loader
