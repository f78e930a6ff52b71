// Mixup and cutmix: images of a batch mixed in pairs, and their soft targets. The arithmetic is
// timm's (timm/data/mixup.py of 0.3.2, which MAE and ConvMAE use); draws are keyed.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "fcm/image/image.h"
#include "fcm/loader/loader.h"
#include "fcm/loader/options.h"

namespace fcm::loader {

// How image i of a batch is mixed with its partner, image batch - 1 - i.
struct Mix {
  double share = 1;  // lambda, the weight of the image's own label; 1: not mixed
  bool cut = false;  // cutmix: `box` comes from the partner; otherwise mixup
  image::Box box;
};

// One mix per image; empty if the options do not mix. Draws are keyed by (seed, epoch, sample id):
// mode "batch" uses the first image's draw for all, "pair" one draw for two partners, "elem" one
// per image. With cutmix, `share` is the share of pixels that the image keeps after clipping the
// box. Pairs are formed within this process's slice, so the result depends on the number of ranks.
// Throws Error(kUsage) for a batch of odd size.
std::vector<Mix> draw_mix(const AugmentOptions& options, const Batch& batch, uint64_t seed);

// Mixes float32 [B, H, W, C] in place; `batch` gives the sizes.
void apply_mix(std::span<const Mix> mixes, const Batch& batch, float* pixels_BHWC);

// float32 [B, classes], for loss::soft_target_cross_entropy: smoothed one-hot rows (smoothing /
// classes everywhere, plus 1 - smoothing at the label), each mixed with the row of its partner.
// Without mixes that loss equals loss::label_smoothing_cross_entropy. Throws Error(kData) for a
// label outside 0 .. classes - 1.
std::vector<float> soft_targets(std::span<const int64_t> labels, int64_t classes, double smoothing,
                                std::span<const Mix> mixes);

}  // namespace fcm::loader
