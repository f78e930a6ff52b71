// Masks from run lengths (as text or as counts) and from polygons. Input: a byte each for rows,
// columns and the form, then the data. The target computes the mask's training target in a box and
// a window of the resized mask; it clips polygons to a window.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/image/mask_target.h"
#include "fcm/image/mask_window.h"
#include "fcm/image/polygon_clip.h"
#include "fcm/image/polygon_raster.h"
#include "fcm/image/run_lengths.h"

namespace {

template <class Number>
std::vector<Number> numbers_in(const uint8_t* data, size_t size) {
  std::vector<Number> numbers(size / sizeof(Number));
  if (!numbers.empty()) std::memcpy(numbers.data(), data, numbers.size() * sizeof(Number));
  return numbers;
}

void use_outline(const std::vector<double>& xy, int64_t rows, int64_t cols) {
  const std::array<double, 4> window{1, 1, static_cast<double>(cols) / 2,
                                     static_cast<double>(rows) / 2};
  const auto parts = fcm::image::clip_polygon(xy, window);
  for (const std::vector<double>& part : parts) {
    if (part.size() < 6) std::abort();
    for (size_t i = 0; i < part.size(); ++i) {
      constexpr double kRounding = 1e-3;  // coordinates reach 4e8
      if (!(part[i] >= window[i % 2] - kRounding && part[i] <= window[2 + i % 2] + kRounding)) {
        std::abort();
      }
    }
  }
  if (!parts.empty()) fcm::image::mask_target(parts, {1, 1, 9, 7}, 14);
}

void use_mask(const fcm::image::RunLengths& mask) {
  fcm::image::mask_target(mask, {-3, 2, 40.5F, 30}, 14);
  const fcm::image::MaskWindow view{30, 41, {3, 5, 20, 30}, 32, 32, true};
  const fcm::image::RunLengths resized = fcm::image::resize_mask(mask, view);
  if (fcm::image::decode_mask(resized).size() != 32 * 32) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace image = fcm::image;
  if (size < 3) return 0;
  const int64_t rows = data[0], cols = data[1];
  const uint8_t kind = data[2] % 4;
  data += 3;
  size -= 3;
  try {
    image::RunLengths mask;
    if (kind == 0) {
      mask = image::parse_run_lengths({reinterpret_cast<const char*>(data), size}, rows, cols);
    } else if (kind == 1) {
      mask = image::run_lengths_of_counts(numbers_in<int64_t>(data, size), rows, cols);
    } else if (kind == 2) {
      const auto xy = numbers_in<double>(data, size);
      mask = image::raster_polygon(xy, rows, cols);
      if (rows >= 2 && cols >= 2) use_outline(xy, rows, cols);
    } else {  // coordinates near the image, in fifths of a pixel
      std::vector<double> xy;
      for (const int16_t fifths : numbers_in<int16_t>(data, size)) xy.push_back(fifths * .2);
      mask = image::raster_polygon(xy, rows, cols);
      if (rows >= 2 && cols >= 2) use_outline(xy, rows, cols);
    }
    use_mask(mask);
    if (image::encode_mask(image::decode_mask(mask), rows, cols) != mask) std::abort();
    if (image::parse_run_lengths(image::run_lengths_text(mask), rows, cols) != mask) std::abort();
    const image::RunLengths* one[] = {&mask};
    const uint8_t crowd[] = {0};
    const double iou = image::mask_ious(one, one, crowd)[0];
    if (iou != (image::mask_area(mask) > 0 ? 1 : 0)) std::abort();
  } catch (const fcm::Error&) {
  }
  return 0;
}
