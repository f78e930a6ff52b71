// The decoders behind decode(). Reasons of failure are Error(kData).
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

// Grey JPEG, PNG and TIFF files give 1 channel, all others 3; the caller converts.
Section decode_jpeg(std::span<const uint8_t> bytes, const ChooseBox& choose,
                    const DecodeLimits& limits);
Image decode_png(std::span<const uint8_t> bytes, const DecodeLimits& limits);
Section decode_webp(std::span<const uint8_t> bytes, const ChooseBox& choose,
                    const DecodeLimits& limits);
Image decode_bmp(std::span<const uint8_t> bytes, const DecodeLimits& limits);
Image decode_tiff(std::span<const uint8_t> bytes, const DecodeLimits& limits);  // the first picture

// Refuses empty pictures and those above the limit. Call it before allocating.
void check_size(int64_t rows, int64_t cols, const DecodeLimits& limits);

// Whoever chose a box outside of the picture broke a promise.
void check_inside(const Box& box, int64_t rows, int64_t cols);

}  // namespace fcm::image
