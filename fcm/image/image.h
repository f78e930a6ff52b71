// Images in memory, decoding and encoding.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <vector>

namespace fcm::image {

struct Image {
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t channels = 0;         // 1 grey, 3 RGB
  std::vector<uint8_t> pixels;  // rows x cols x channels
};

struct DecodeLimits {
  int64_t max_pixels = 50'000'000;
};

// Decodes JPEG, PNG, WebP, BMP or TIFF, recognised by content, not by name, to `channels` (1 or 3).
// Grey, palette, 16-bit colours, alpha and CMYK are converted as by Pillow's convert("RGB"); 16-bit
// grey is scaled to 8 bits (Pillow clips it). Of several frames or pages the first is read. As in
// Pillow, the EXIF orientation of a JPEG is ignored and the orientation of a TIFF is applied. A
// truncated or damaged file is an Error(kData) that names the reason, never an image with grey
// filler; damage of a WebP is noticed only if the data become inconsistent.
Image decode(std::span<const uint8_t> bytes, int64_t channels, const DecodeLimits& limits = {});

struct Box {
  int64_t top = 0;
  int64_t left = 0;
  int64_t rows = 0;
  int64_t cols = 0;
};

// Chooses the box to decode. Called once with the image's size, before any pixel is decoded; the
// box must lie inside.
using ChooseBox = std::function<Box(int64_t rows, int64_t cols)>;

// Decoded pixels. Those in `box` were requested; the others are a margin, or the rest of an image
// that was decoded whole.
struct Section {
  Image image;
  Box box;  // within `image`
};

// Like decode(), but may decode only what the chosen box needs; the pixels in the box are
// bit-identical to those of decode(). Of a JPEG with one scan and of a WebP, rows below the box are
// not read, so damage there goes unnoticed (except truncation of a WebP). Damage above or in the
// box, and anywhere in other formats, is an Error(kData).
Section decode_section(std::span<const uint8_t> bytes, int64_t channels, const ChooseBox& choose,
                       const DecodeLimits& limits = {});

// Decodes a class map to one byte per pixel, from a PNG with one channel of up to 8 bits (its
// values) or with a palette (its indices, not the colours). Anything else is an Error(kData): lossy
// formats change values, and colours or 16-bit values are not class numbers.
Image decode_class_map(std::span<const uint8_t> bytes, const DecodeLimits& limits = {});

enum class Interpolation { kBilinear, kBicubic };

// Crops `box`, resizes it to rows x cols (antialiased, Pillow's arithmetic: 22-bit weights, 8 bits
// between the passes), optionally mirrors it, and writes rows x cols x channels bytes to `out`.
void crop_resize(const Image& source, Box box, int64_t rows, int64_t cols,
                 Interpolation interpolation, bool mirror, uint8_t* out);

std::vector<uint8_t> encode_png(const Image& image);
void write_png(const std::filesystem::path& path, const Image& image);

}  // namespace fcm::image
