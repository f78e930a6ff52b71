// Masks in runs, from text or from counts, and polygons: rows, columns and which of them in front.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/image/polygon_raster.h"
#include "fcm/image/run_lengths.h"

namespace {

template <class Number>
std::vector<Number> numbers_in(const uint8_t* data, size_t size) {
  std::vector<Number> numbers(size / sizeof(Number));
  if (!numbers.empty()) std::memcpy(numbers.data(), data, numbers.size() * sizeof(Number));
  return numbers;
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
      mask = image::raster_polygon(numbers_in<double>(data, size), rows, cols);
    } else {  // points near the picture, in fifths of a pixel
      std::vector<double> xy;
      for (const int16_t fifths : numbers_in<int16_t>(data, size)) xy.push_back(fifths * .2);
      mask = image::raster_polygon(xy, rows, cols);
    }
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
