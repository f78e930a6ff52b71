// Computes the pixels of a frame from its image.
#pragma once

#include <cstdint>

#include "fcm/image/image.h"
#include "fcm/loader/frame.h"

namespace fcm::loader {

// The part of the image that the frame depends on.
image::Box frame_source(const FrameLayout& layout);

// Writes side x side x 3 bytes to `pixels`: the image, resized as by Pillow (bilinear,
// antialiased), and `pad` elsewhere. `section.box` must locate frame_source(layout).
void fill_frame(const image::Section& section, const FrameLayout& layout, uint8_t pad,
                uint8_t* pixels);
// The same from the whole image.
void fill_frame(const image::Image& image, const FrameLayout& layout, uint8_t pad, uint8_t* pixels);

}  // namespace fcm::loader
