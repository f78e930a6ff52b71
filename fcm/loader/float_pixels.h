// The pixels of a batch as normalised floats, for augmentations whose results bytes cannot hold:
// random erasing (unbounded noise) and mixup. ops::patchify_normalised reads them as a permuted
// view of shape [B, C, H, W].
#pragma once

#include <cstdint>
#include <vector>

#include "fcm/loader/loader.h"
#include "fcm/loader/options.h"

namespace fcm::loader {

// float32 [B, H, W, C]: (x / 255 - mean) / std, with the same bits as in ops::patchify.
std::vector<float> normalised_pixels(const Batch& batch, const DataOptions& options);

// timm's RandomErasing in mode "pixel", in place. With probability options.erasing, one box of an
// image is filled with standard normal noise, one draw per value. The box has 2 % to a third of the
// area, and its height over width is 0.3 to 1 / 0.3. Draws are keyed by (seed, epoch, sample).
void random_erase(const AugmentOptions& options, const Batch& batch, uint64_t seed,
                  float* pixels_BHWC);

}  // namespace fcm::loader
