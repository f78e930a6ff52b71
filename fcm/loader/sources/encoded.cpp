#include "fcm/loader/sources/encoded.h"

#include <span>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/image/orientation.h"

namespace fcm::loader {

image::Image EncodedDataset::get(int64_t index, int64_t channels) const {
  const auto whole = [](int64_t rows, int64_t cols) { return image::Box{0, 0, rows, cols}; };
  return get_section(index, channels, whole).image;
}

int EncodedDataset::orientation(int64_t index) const {
  const std::string file = read(index);
  return image::exif_orientation({reinterpret_cast<const uint8_t*>(file.data()), file.size()});
}

image::Section EncodedDataset::get_section(int64_t index, int64_t channels,
                                           const image::ChooseBox& choose) const {
  const std::string file = read(index);
  const std::span bytes(reinterpret_cast<const uint8_t*>(file.data()), file.size());
  const auto choose_checked = [&](int64_t rows, int64_t cols) {
    check_size(index, rows, cols);
    return choose(rows, cols);
  };
  try {
    const int orientation = applies_orientation() ? image::exif_orientation(bytes) : 1;
    if (orientation == 1) return image::decode_section(bytes, channels, choose_checked);
    image::Image image = image::upright(image::decode(bytes, channels), orientation);
    const image::Box box = choose_checked(image.rows, image.cols);
    return {std::move(image), box};
  } catch (const Error& error) {
    fail(error.code(), "{}: {}", name(index), error.what());
  }
}

}  // namespace fcm::loader
