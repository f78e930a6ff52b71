#include <fmt/ranges.h>

#include <algorithm>

#include "fcm/base/content.h"
#include "fcm/base/error.h"
#include "fcm/image/codecs.h"
#include "fcm/image/colour.h"
#include "fcm/image/image.h"

namespace fcm::image {

void check_size(int64_t rows, int64_t cols, const DecodeLimits& limits) {
  if (rows < 1 || cols < 1) fail(ExitCode::kData, "the image has no pixels ({}x{})", cols, rows);
  // Each side is compared with the limit first, so the product cannot overflow.
  if (rows > limits.max_pixels || cols > limits.max_pixels || rows * cols > limits.max_pixels) {
    fail(ExitCode::kData,
         "the image claims {}x{} pixels, more than the allowed {}; shrink it or leave it out", cols,
         rows, limits.max_pixels);
  }
}

void check_inside(const Box& box, int64_t rows, int64_t cols) {
  require(box.top >= 0 && box.rows > 0 && box.top + box.rows <= rows && box.left >= 0 &&
              box.cols > 0 && box.left + box.cols <= cols,
          "decode_section: box {}x{} at ({}, {}) must lie inside an image of {}x{}", box.rows,
          box.cols, box.top, box.left, rows, cols);
}

namespace {

[[noreturn]] void fail_unknown(std::span<const uint8_t> bytes) {
  const std::string kind =
      content_kind({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  if (!kind.empty()) {
    const bool has_advice = kind.find(": ") != std::string::npos || kind.starts_with("text that");
    fail(ExitCode::kData, "not a JPEG, PNG, WebP, BMP or TIFF but {}{}", kind,
         has_advice ? "" : "; convert it to one of these");
  }
  fail(
      ExitCode::kData,
      "not a JPEG, PNG, WebP, BMP or TIFF by its content (first bytes {:02x}); convert it to one of "
      "these",
      fmt::join(bytes.first(std::min<size_t>(bytes.size(), 8)), " "));
}

}  // namespace

Section decode_section(std::span<const uint8_t> bytes, int64_t channels, const ChooseBox& choose,
                       const DecodeLimits& limits) {
  require(channels == 1 || channels == 3, "decode: expected 1 or 3 channels, got {}", channels);
  if (bytes.empty()) fail(ExitCode::kData, "the file is empty");
  Section section;
  if (is_jpeg(bytes)) {
    section = decode_jpeg(bytes, choose, limits);
  } else if (is_webp(bytes)) {
    section = decode_webp(bytes, choose, limits);
  } else {
    if (is_png(bytes)) {
      section.image = decode_png(bytes, limits);
    } else if (is_bmp(bytes)) {
      section.image = decode_bmp(bytes, limits);
    } else if (is_tiff(bytes)) {
      section.image = decode_tiff(bytes, limits);
    } else {
      fail_unknown(bytes);
    }
    section.box = choose(section.image.rows, section.image.cols);
  }
  section.image = with_channels(std::move(section.image), channels);
  return section;
}

Image decode(std::span<const uint8_t> bytes, int64_t channels, const DecodeLimits& limits) {
  const auto whole = [](int64_t rows, int64_t cols) { return Box{0, 0, rows, cols}; };
  return decode_section(bytes, channels, whole, limits).image;
}

}  // namespace fcm::image
