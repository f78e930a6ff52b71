// BMP: a file header, one of several image headers, a palette or masks, then the rows, from
// the last to the first unless the header's number of rows is negative. The decoder reads what
// Pillow reads: 1, 4, 8, 16, 24 and 32 bits, palettes, masks and both run-length codes.
#include <algorithm>
#include <array>
#include <bit>

#include "fcm/base/error.h"
#include "fcm/image/codecs.h"

namespace fcm::image {
namespace {

constexpr size_t kFileHeader = 14;
constexpr uint32_t kCoreHeader = 12;  // bytes; OS/2's, with 16-bit sizes

enum class Coding : uint32_t { kNone = 0, kRuns8 = 1, kRuns4 = 2, kMasks = 3, kMasksWithAlpha = 6 };

using Bytes = std::span<const uint8_t>;

uint32_t number(Bytes bytes, size_t at, size_t size) {
  if (at + size > bytes.size()) fail(ExitCode::kData, "damaged BMP: premature end of file");
  uint32_t value = 0;
  for (size_t i = size; i-- > 0;) value = value << 8 | bytes[at + i];
  return value;
}

struct Header {
  int64_t rows = 0, cols = 0;
  bool top_down = false;
  uint32_t bits = 0;
  Coding coding = Coding::kNone;
  size_t pixels = 0;         // offset in the file
  size_t palette = 0;        // offset in the file
  size_t palette_entry = 4;  // bytes
  int64_t colours = 0;
  std::array<uint32_t, 3> masks{};  // red, green, blue
};

void check_kind(const Header& header, uint32_t coding) {
  constexpr std::array<uint32_t, 6> kBits{1, 4, 8, 16, 24, 32};
  if (std::ranges::find(kBits, header.bits) == kBits.end()) {
    fail(ExitCode::kData, "a BMP of {} bits a pixel, expected 1, 4, 8, 16, 24 or 32", header.bits);
  }
  const bool fits = coding == 0 || (coding == 1 && header.bits == 8) ||
                    (coding == 2 && header.bits == 4) ||
                    ((coding == 3 || coding == 6) && header.bits >= 16);
  if (!fits) {
    fail(ExitCode::kData, "a BMP of compression {} with {} bits a pixel is not supported", coding,
         header.bits);
  }
}

void read_masks(Bytes bytes, uint32_t header_size, Header& header) {
  if (header.bits == 16) {
    header.masks = {0x7C00, 0x3E0, 0x1F};
  } else {
    header.masks = {0xFF0000, 0xFF00, 0xFF};
  }
  if (header.coding != Coding::kMasks && header.coding != Coding::kMasksWithAlpha) return;
  std::array<uint32_t, 3> masks;
  for (size_t i = 0; i < 3; ++i) masks[i] = number(bytes, kFileHeader + 40 + 4 * i, 4);
  if (masks != std::array<uint32_t, 3>{}) header.masks = masks;  // else the defaults above
  // After the 40-byte header the masks come first and the palette follows.
  if (header_size == 40) header.palette += header.coding == Coding::kMasks ? 12 : 16;
  for (const uint32_t mask : header.masks) {
    const uint32_t low = mask == 0 ? 0 : mask >> std::countr_zero(mask);
    if ((low & (low + 1)) != 0 || low > 0xFFFF) {
      fail(ExitCode::kData, "damaged BMP: the bits of the mask {:08x} are not contiguous", mask);
    }
  }
}

Header read_header(Bytes bytes) {
  const uint32_t size = number(bytes, kFileHeader, 4);
  if (size != kCoreHeader && (size < 40 || size > 124)) {
    fail(ExitCode::kData, "damaged BMP: a header of {} bytes", size);
  }
  Header header;
  const bool core = size == kCoreHeader;
  uint32_t coding = 0, colours = 0;
  if (core) {
    header.cols = number(bytes, kFileHeader + 4, 2);
    header.rows = number(bytes, kFileHeader + 6, 2);
    header.bits = number(bytes, kFileHeader + 10, 2);
    header.palette_entry = 3;
  } else {
    header.cols = static_cast<int32_t>(number(bytes, kFileHeader + 4, 4));
    header.rows = static_cast<int32_t>(number(bytes, kFileHeader + 8, 4));
    header.bits = number(bytes, kFileHeader + 14, 2);
    coding = number(bytes, kFileHeader + 16, 4);
    colours = number(bytes, kFileHeader + 32, 4);
  }
  header.top_down = header.rows < 0;
  if (header.top_down) header.rows = -header.rows;
  check_kind(header, coding);
  header.coding = static_cast<Coding>(coding);
  header.palette = kFileHeader + size;
  header.pixels = number(bytes, 10, 4);
  read_masks(bytes, size, header);
  if (header.bits <= 8) {
    header.colours = colours == 0 ? int64_t{1} << header.bits : colours;
    if (header.colours > 256) fail(ExitCode::kData, "damaged BMP: {} colours", header.colours);
  }
  return header;
}

// 256 RGB colours; those beyond the palette are black.
std::array<uint8_t, 768> read_palette(Bytes bytes, const Header& header) {
  std::array<uint8_t, 768> palette{};
  for (int64_t i = 0; i < header.colours; ++i) {
    const size_t at = header.palette + static_cast<size_t>(i) * header.palette_entry;
    const uint32_t colour = number(bytes, at, 3);  // blue first
    for (size_t c = 0; c < 3; ++c) {
      palette[static_cast<size_t>(i) * 3 + c] = static_cast<uint8_t>(colour >> (8 * (2 - c)));
    }
  }
  return palette;
}

// Decodes either run-length code to one byte per pixel, in file order.
class Runs {
 public:
  Runs(Bytes code, const Header& header)
      : code_(code),
        cols_(header.cols),
        rows_(header.rows),
        halves_(header.coding == Coding::kRuns4),
        places_(static_cast<size_t>(header.rows * header.cols)) {}

  std::vector<uint8_t> unpack() {
    for (bool goes_on = true; goes_on && row_ < rows_;) goes_on = step();
    return std::move(places_);
  }

 private:
  uint8_t next() {
    if (at_ == code_.size()) fail(ExitCode::kData, "damaged BMP: premature end of file");
    return code_[at_++];
  }
  void put(uint8_t index) {  // pixels beyond the end of a row are dropped
    if (col_ < cols_ && row_ < rows_) places_[static_cast<size_t>(row_ * cols_ + col_++)] = index;
  }
  uint8_t half(uint8_t both, int i) const { return i % 2 == 0 ? both >> 4 : both & 15; }

  bool step() {
    const int count = next(), value = next();
    if (count > 0) {
      for (int i = 0; i < count; ++i) {
        put(halves_ ? half(static_cast<uint8_t>(value), i) : static_cast<uint8_t>(value));
      }
    } else if (value == 0) {
      ++row_;
      col_ = 0;
    } else if (value == 1) {
      return false;
    } else if (value == 2) {
      col_ = std::min<int64_t>(col_ + next(), cols_);
      row_ += next();
    } else {
      literal(value);
    }
    return true;
  }

  // `count` literal pixels, padded to an even number of bytes.
  void literal(int count) {
    const size_t begin = at_;
    for (int i = 0; i < count; ++i) {
      if (!halves_) {
        put(next());
      } else {
        put(half(i % 2 == 0 ? next() : code_[at_ - 1], i));
      }
    }
    if ((at_ - begin) % 2 == 1) next();
  }

  Bytes code_;
  int64_t cols_, rows_;
  bool halves_;
  std::vector<uint8_t> places_;
  size_t at_ = 0;
  int64_t row_ = 0, col_ = 0;
};

uint8_t masked(uint32_t pixel, uint32_t mask) {
  if (mask == 0) return 0;
  const int shift = std::countr_zero(mask);
  const uint32_t value = (pixel & mask) >> shift, most = mask >> shift;
  return static_cast<uint8_t>(most == 255 ? value : uint64_t{value} * 255 / most);
}

// Converts a row of the file to RGB.
void unpack_row(Bytes line, const Header& header, const std::array<uint8_t, 768>& palette,
                uint8_t* rgb) {
  for (int64_t col = 0; col < header.cols; ++col, rgb += 3) {
    const auto i = static_cast<size_t>(col);
    if (header.bits <= 8) {
      const size_t bit = i * header.bits;
      const unsigned below = 8 - header.bits - bit % 8;
      const size_t index = line[bit / 8] >> below & ((1U << header.bits) - 1);
      std::copy_n(palette.begin() + static_cast<ptrdiff_t>(3 * index), 3, rgb);
      continue;
    }
    const size_t bytes = header.bits / 8;
    uint32_t pixel = 0;
    for (size_t k = bytes; k-- > 0;) pixel = pixel << 8 | line[i * bytes + k];
    for (size_t c = 0; c < 3; ++c) rgb[c] = masked(pixel, header.masks[c]);
  }
}

}  // namespace

bool is_bmp(std::span<const uint8_t> bytes) {
  constexpr size_t kFewest = kFileHeader + 4;
  if (bytes.size() < kFewest || bytes[0] != 'B' || bytes[1] != 'M') return false;
  const uint32_t header =
      number(bytes, kFileHeader, 4);  // distinguishes text that begins with "BM"
  return header == kCoreHeader || (header >= 40 && header <= 124);
}

Image decode_bmp(std::span<const uint8_t> bytes, const DecodeLimits& limits) {
  const Header header = read_header(bytes);
  check_size(header.rows, header.cols, limits);
  const std::array<uint8_t, 768> palette = read_palette(bytes, header);
  if (header.pixels > bytes.size()) fail(ExitCode::kData, "damaged BMP: premature end of file");
  Header rows = header;  // describes the rows in `lines`
  Bytes lines = bytes.subspan(header.pixels);
  std::vector<uint8_t> unpacked;
  auto stride = static_cast<size_t>((header.cols * header.bits + 31) / 32 * 4);
  if (header.coding == Coding::kRuns8 || header.coding == Coding::kRuns4) {
    unpacked = Runs(lines, header).unpack();
    lines = unpacked;
    rows.bits = 8;
    stride = static_cast<size_t>(header.cols);
  }
  const size_t last = static_cast<size_t>((header.cols * rows.bits + 7) / 8);  // may lack padding
  if (lines.size() < stride * static_cast<size_t>(header.rows - 1) + last) {
    fail(ExitCode::kData, "damaged BMP: premature end of file ({} bytes of pixels, {} needed)",
         lines.size(), stride * static_cast<size_t>(header.rows));
  }
  Image image{header.rows, header.cols, 3, {}};
  image.pixels.resize(static_cast<size_t>(header.rows * header.cols * 3));
  for (int64_t row = 0; row < header.rows; ++row) {
    const int64_t to = header.top_down ? row : header.rows - 1 - row;
    unpack_row(lines.subspan(static_cast<size_t>(row) * stride), rows, palette,
               image.pixels.data() + to * header.cols * 3);
  }
  return image;
}

}  // namespace fcm::image
