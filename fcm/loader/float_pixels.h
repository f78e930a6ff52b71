// The pixels of a batch as normalised floats, for augmentations whose results are not bytes: random
// erasing (unbounded noise) and mixup. Consumed by ops::patchify_normalised, whose [B, C, H, W]
// input is a permuted view.
#pragma once

#include <cstdint>
#include <vector>

#include "fcm/loader/loader.h"
#include "fcm/loader/options.h"

namespace fcm::loader {

// float32 [B, H, W, C]: (x / 255 - mean) / std, bit-identical to ops::patchify.
std::vector<float> normalised_pixels(const Batch& batch, const DataOptions& options);

// timm's RandomErasing in mode "pixel", one box per image: with probability options.erasing, a box
// of 2 % to a third of the area, with height over width between 0.3 and 1 / 0.3, is filled with
// normal noise, drawn for every value. Draws of an image are keyed by (seed, epoch, sample).
void random_erase(const AugmentOptions& options, const Batch& batch, uint64_t seed,
                  float* pixels_BHWC);

}  // namespace fcm::loader
