#include "fcm/loader/frame_pixels.h"

#include <algorithm>
#include <cstring>

#include "fcm/image/resize_window.h"

namespace fcm::loader {
namespace {

constexpr image::Interpolation kFilter = image::Interpolation::kBilinear;

image::Resizing resizing_of(const FrameLayout& layout) {
  return {layout.image.rows, layout.image.cols, layout.resized.rows, layout.resized.cols};
}

image::Box window_of(const FrameLayout& layout) {
  const Extent shown = layout.shown();
  return {layout.top, layout.left, shown.rows, shown.cols};
}

// Writes `part`, the visible part of the resized image, into a frame filled with `pad`.
void put_into_frame(const std::vector<uint8_t>& part, const FrameLayout& layout, uint8_t pad,
                    uint8_t* pixels) {
  const Extent shown = layout.shown();
  std::memset(pixels, pad, static_cast<size_t>(layout.side * layout.side * 3));
  const uint8_t* from = part.data();
  for (int64_t row = 0; row < shown.rows; ++row) {
    uint8_t* const line = pixels + row * layout.side * 3;
    if (!layout.mirror) {
      std::memcpy(line, from, static_cast<size_t>(shown.cols * 3));
      from += shown.cols * 3;
      continue;
    }
    uint8_t* to = line + layout.side * 3;
    for (int64_t col = 0; col < shown.cols; ++col, from += 3) std::copy_n(from, 3, to -= 3);
  }
}

}  // namespace

image::Box frame_source(const FrameLayout& layout) {
  return image::window_source(resizing_of(layout), window_of(layout), kFilter);
}

void fill_frame(const image::Section& section, const FrameLayout& layout, uint8_t pad,
                uint8_t* pixels) {
  const image::Box window = window_of(layout);
  std::vector<uint8_t> part(static_cast<size_t>(window.rows * window.cols * 3));
  image::resize_window(resizing_of(layout), section, window, kFilter, part.data());
  put_into_frame(part, layout, pad, pixels);
}

void fill_frame(const image::Image& image, const FrameLayout& layout, uint8_t pad,
                uint8_t* pixels) {
  const image::Box window = window_of(layout);
  std::vector<uint8_t> part(static_cast<size_t>(window.rows * window.cols * 3));
  image::resize_window(image, layout.resized.rows, layout.resized.cols, window, kFilter,
                       part.data());
  put_into_frame(part, layout, pad, pixels);
}

}  // namespace fcm::loader
