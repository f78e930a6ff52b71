// Pixels of scenes as the numbers a network sees, with the bits of the published program.
#pragma once

#include <vector>

#include "fcm/loader/loader.h"
#include "fcm/loader/options.h"

namespace fcm::loader {

// [B, H, W, C] of a batch of scenes: (x - mean) * (1 / deviation), where mean and deviation are 255
// times those of `options`, rounded to float32; 0 outside of each picture's extent. The last bits
// are not those of normalised_pixels.
std::vector<float> normalised_scene_pixels(const Batch& batch, const DataOptions& options);

// [H, W, C] of a picture without padding.
std::vector<float> normalised_scene_pixels(const image::Image& picture, const DataOptions& options);

}  // namespace fcm::loader
