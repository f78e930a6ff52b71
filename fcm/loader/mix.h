// Mixup and cutmix: pictures of a batch mixed in pairs, and the targets that go with it. The
// arithmetic is timm's (timm/data/mixup.py of 0.3.2, which MAE and ConvMAE use); draws are keyed.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "fcm/image/image.h"
#include "fcm/loader/loader.h"
#include "fcm/loader/options.h"

namespace fcm::loader {

// How picture i of a batch is mixed with its partner, picture batch - 1 - i.
struct Mix {
  double share = 1;  // of the picture's own label (lambda); 1: left alone
  bool cut = false;  // cutmix: `box` is the partner's; otherwise pixels are averaged
  image::Box box;
};

// One for each picture, or none where the options do not mix. A function of (seed, epoch, sample
// ids) alone: in mode "batch" the first picture's draw holds for all, in "pair" each draw of the
// first half for two, in "elem" everybody has an own. Cutmix's share is that of the pixels which
// are really left. Pairs are formed in the slice that this process has, so several ranks mix
// otherwise than one. Throws Error(kUsage) for a batch of odd size.
std::vector<Mix> draw_mix(const AugmentOptions& options, const Batch& batch, uint64_t seed);

// In place on float pixels [B, H, W, C], whose sizes are those of `batch`.
void apply_mix(std::span<const Mix> mixes, const Batch& batch, float* pixels_BHWC);

// [B, classes], for loss::soft_target_cross_entropy: smoothed one-hot rows (smoothing / classes
// everywhere, 1 - smoothing more at the label), each mixed with its partner's. Without mixes the
// loss equals loss::label_smoothing_cross_entropy. Throws Error(kData) for a label outside of the
// classes.
std::vector<float> soft_targets(std::span<const int64_t> labels, int64_t classes, double smoothing,
                                std::span<const Mix> mixes);

}  // namespace fcm::loader
