#include "fcm/image/orientation.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "fcm/image/codecs.h"

namespace fcm::image {
namespace {

using JpegBytes = std::span<const uint8_t>;

constexpr int kUpright = 1;

// Reads numbers of a TIFF in either byte order; nullopt beyond the end.
class TiffNumbers {
 public:
  TiffNumbers(JpegBytes bytes, bool big) : bytes_(bytes), big_(big) {}

  std::optional<uint32_t> at(uint64_t place, size_t size) const {
    if (place > bytes_.size() || bytes_.size() - place < size) return std::nullopt;
    uint32_t value = 0;
    for (size_t i = 0; i < size; ++i) {
      const uint32_t byte = bytes_[place + i];
      value |= byte << (8 * (big_ ? size - 1 - i : i));
    }
    return value;
  }

 private:
  JpegBytes bytes_;
  bool big_;
};

// The orientation in the first directory of EXIF data, which is a TIFF without pixels.
int orientation_in(JpegBytes tiff) {
  constexpr uint32_t kMagic = 42, kTag = 0x0112, kShort = 3, kLong = 4;
  constexpr uint64_t kEntryBytes = 12;
  const bool big = tiff.size() > 1 && tiff[0] == 'M' && tiff[1] == 'M';
  const bool little = tiff.size() > 1 && tiff[0] == 'I' && tiff[1] == 'I';
  const TiffNumbers numbers(tiff, big);
  if ((!big && !little) || numbers.at(2, 2) != kMagic) return kUpright;
  const auto directory = numbers.at(4, 4);
  if (!directory) return kUpright;
  const auto entries = numbers.at(*directory, 2);
  if (!entries) return kUpright;
  for (uint64_t i = 0; i < *entries; ++i) {
    const uint64_t entry = uint64_t{*directory} + 2 + i * kEntryBytes;
    const auto tag = numbers.at(entry, 2), type = numbers.at(entry + 2, 2);
    if (!tag || !type) return kUpright;
    if (*tag != kTag) continue;
    const auto value = numbers.at(entry + 8, *type == kLong ? 4 : 2);
    const bool known = (*type == kShort || *type == kLong) && value && *value >= 1 && *value <= 8;
    return known ? static_cast<int>(*value) : kUpright;
  }
  return kUpright;
}

}  // namespace

int exif_orientation(JpegBytes bytes) {
  constexpr uint8_t kMark = 0xFF, kFirstAlone = 0xD0, kLastAlone = 0xD9, kScan = 0xDA, kApp1 = 0xE1;
  constexpr std::string_view kExif("Exif\0\0", 6);
  if (!is_jpeg(bytes)) return kUpright;
  size_t at = 2;
  while (bytes.size() - at >= 4) {
    if (bytes[at] != kMark) return kUpright;
    const uint8_t marker = bytes[at + 1];
    if (marker == kMark) {  // filler
      ++at;
      continue;
    }
    // Image data follow, or the marker has no length.
    if (marker == kScan || (marker >= kFirstAlone && marker <= kLastAlone)) return kUpright;
    const size_t length = size_t{bytes[at + 2]} << 8 | bytes[at + 3];  // includes these two bytes
    const JpegBytes segment = bytes.subspan(at + 2);
    if (length < 2 || length > segment.size()) return kUpright;
    const JpegBytes content = segment.subspan(2, length - 2);
    if (marker == kApp1 && content.size() >= kExif.size() &&
        std::memcmp(content.data(), kExif.data(), kExif.size()) == 0) {
      return orientation_in(content.subspan(kExif.size()));
    }
    at += 2 + length;
  }
  return kUpright;
}

Image upright(Image image, int orientation) {
  if (orientation < 2 || orientation > 8) return image;
  const int64_t rows = image.rows, cols = image.cols, channels = image.channels;
  const bool swaps = orientation >= 5;
  Image oriented{swaps ? cols : rows, swaps ? rows : cols, channels, {}};
  oriented.pixels.resize(image.pixels.size());
  const bool from_below =
      orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const bool from_right =
      orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  uint8_t* to = oriented.pixels.data();
  for (int64_t r = 0; r < oriented.rows; ++r) {
    for (int64_t c = 0; c < oriented.cols; ++c, to += channels) {
      const int64_t down = swaps ? c : r, across = swaps ? r : c;
      const int64_t row = from_below ? rows - 1 - down : down;
      const int64_t col = from_right ? cols - 1 - across : across;
      std::copy_n(image.pixels.data() + (row * cols + col) * channels, channels, to);
    }
  }
  return oriented;
}

}  // namespace fcm::image
