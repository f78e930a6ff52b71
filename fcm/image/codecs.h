// The decoders that decode() and decode_section() call. Failures are Error(kData), or
// Error(kDevice) if memory runs out.
#pragma once

#include <cstdint>
#include <span>

#include "fcm/image/image.h"

namespace fcm::image {

bool is_jpeg(std::span<const uint8_t> bytes);
bool is_png(std::span<const uint8_t> bytes);
bool is_webp(std::span<const uint8_t> bytes);
bool is_bmp(std::span<const uint8_t> bytes);
bool is_tiff(std::span<const uint8_t> bytes);

// Grey JPEG, PNG and TIFF files are decoded to 1 channel, all others to 3; the caller converts.
// `choose` is called with the image's size before pixels are decoded.
Section decode_jpeg(std::span<const uint8_t> bytes, const ChooseBox& choose,
                    const DecodeLimits& limits);
Image decode_png(std::span<const uint8_t> bytes, const DecodeLimits& limits);
Section decode_webp(std::span<const uint8_t> bytes, const ChooseBox& choose,
                    const DecodeLimits& limits);
Image decode_bmp(std::span<const uint8_t> bytes, const DecodeLimits& limits);
Image decode_tiff(std::span<const uint8_t> bytes, const DecodeLimits& limits);  // the first page

// Throws Error(kData) for empty images and those above the limit. Call it before allocating.
void check_size(int64_t rows, int64_t cols, const DecodeLimits& limits);

// Requires that the box lies inside the image (std::logic_error otherwise).
void check_inside(const Box& box, int64_t rows, int64_t cols);

}  // namespace fcm::image
