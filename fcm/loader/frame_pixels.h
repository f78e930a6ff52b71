// The bytes of a frame from those of its picture.
#pragma once

#include <cstdint>

#include "fcm/image/image.h"
#include "fcm/loader/frame.h"

namespace fcm::loader {

// What of the picture the frame is computed from.
image::Box frame_source(const FramePlace& place);

// Writes side x side x 3 bytes to `pixels`: the picture, resized as Pillow does (bilinear,
// antialiased), and `pad` where it does not reach. `section.box` is frame_source.
void fill_frame(const image::Section& section, const FramePlace& place, uint8_t pad,
                uint8_t* pixels);
// Of a whole picture.
void fill_frame(const image::Image& picture, const FramePlace& place, uint8_t pad, uint8_t* pixels);

}  // namespace fcm::loader
