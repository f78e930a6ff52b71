// Pixels of scenes as normalised floats, bit-identical to upstream.
#pragma once

#include <vector>

#include "fcm/loader/loader.h"
#include "fcm/loader/options.h"

namespace fcm::loader {

// float32 [B, H, W, C] of a batch of scenes: (x - mean) * (1 / std), where mean and std are 255
// times those of `options`, rounded to float32; 0 outside each image's extent. The last bits differ
// from normalised_pixels.
std::vector<float> normalised_scene_pixels(const Batch& batch, const DataOptions& options);

// float32 [H, W, C] of an image without padding.
std::vector<float> normalised_scene_pixels(const image::Image& image, const DataOptions& options);

}  // namespace fcm::loader
