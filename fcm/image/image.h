// Pictures in memory, and from file bytes to pixels.
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

// JPEG, PNG, WebP, BMP or TIFF, told by content, never by name. Result has the asked number of
// channels. Grey, palette, 16-bit, alpha and CMYK are treated as Pillow's convert("RGB") does; of
// several frames or pages the first is read; no EXIF rotation (of a TIFF, Pillow and we apply it).
// A truncated or damaged file is an Error(kData) whose text names the reason, never a picture with
// grey filler.
Image decode(std::span<const uint8_t> bytes, int64_t channels, const DecodeLimits& limits = {});

struct Box {
  int64_t top = 0;
  int64_t left = 0;
  int64_t rows = 0;
  int64_t cols = 0;
};

// Asked once for a picture of so many pixels, before any is decoded; the box must lie inside.
using ChooseBox = std::function<Box(int64_t rows, int64_t cols)>;

// Pixels of which only those in `box` are what was asked for; the rest is a margin.
struct Section {
  Image picture;
  Box box;  // within `picture`
};

// As decode, but no more of the picture than `choose` wants: the pixels in the box have the same
// bits. Of a JPEG with one scan and of a WebP, rows below the box are not read, so that damage
// there is not noticed (a WebP that is cut is); damage above or in the box, and anywhere in another
// kind, is an Error(kData) as ever.
Section decode_section(std::span<const uint8_t> bytes, int64_t channels, const ChooseBox& choose,
                       const DecodeLimits& limits = {});

// The numbers of a map of classes, one byte a pixel: a PNG with one channel of up to 8 bits, whose
// values they are, or with a palette, whose indices they are (not colours). Anything else is an
// Error(kData): other formats lose numbers, other depths mean something else.
Image decode_numbers(std::span<const uint8_t> bytes, const DecodeLimits& limits = {});

enum class Interpolation { kBilinear, kBicubic };

// Cuts out `box`, resizes it to rows x cols (antialiased, Pillow's arithmetic: 22-bit weights,
// 8-bit between the passes), mirrors it if asked, and writes rows x cols x channels bytes to `out`.
void crop_resize(const Image& source, Box box, int64_t rows, int64_t cols,
                 Interpolation interpolation, bool mirror, uint8_t* out);

std::vector<uint8_t> encode_png(const Image& picture);
void write_png(const std::filesystem::path& path, const Image& picture);

}  // namespace fcm::image
