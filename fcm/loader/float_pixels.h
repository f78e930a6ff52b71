// The pixels of a batch as the numbers a network sees, for what cannot be said in bytes: random
// erasing (its noise has no bounds) and mixup. For ops::patchify_normalised, whose [B, C, H, W] is
// a permuted view.
#pragma once

#include <cstdint>
#include <vector>

#include "fcm/loader/loader.h"
#include "fcm/loader/options.h"

namespace fcm::loader {

// [B, H, W, C]: (x / 255 - mean) / deviation, with the bits of ops::patchify.
std::vector<float> normalised_pixels(const Batch& batch, const DataOptions& options);

// timm's RandomErasing in mode "pixel", one box a picture: with probability options.erasing a box
// of 2 % to a third of the area, height over width between 0.3 and 1 / 0.3, becomes normal noise,
// drawn for every value. A function of (seed, epoch, sample) for each picture.
void random_erase(const AugmentOptions& options, const Batch& batch, uint64_t seed,
                  float* pixels_BHWC);

}  // namespace fcm::loader
