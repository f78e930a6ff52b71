#include "fcm/loader/mix.h"

#include <algorithm>
#include <cmath>

#include "fcm/base/error.h"
#include "fcm/base/random.h"

namespace fcm::loader {
namespace {

// timm's rand_bbox: a box around a random point with a share of 1 - `share` of the image's area,
// clipped at the border.
image::Box cut_box(double share, int64_t rows, int64_t cols, KeyedRandom& random) {
  const double side = std::sqrt(1 - share);
  const auto half_rows = static_cast<int64_t>(static_cast<double>(rows) * side) / 2;
  const auto half_cols = static_cast<int64_t>(static_cast<double>(cols) * side) / 2;
  const auto row = static_cast<int64_t>(random.below(static_cast<uint64_t>(rows)));
  const auto col = static_cast<int64_t>(random.below(static_cast<uint64_t>(cols)));
  const int64_t top = std::max<int64_t>(row - half_rows, 0);
  const int64_t left = std::max<int64_t>(col - half_cols, 0);
  return {top, left, std::min(row + half_rows, rows) - top, std::min(col + half_cols, cols) - left};
}

Mix draw(const AugmentOptions& options, const Batch& batch, uint64_t seed, size_t image) {
  KeyedRandom random(seed, Purpose::kMix, static_cast<uint64_t>(batch.epoch),
                     static_cast<uint64_t>(batch.sample_ids[image]));
  Mix mix;
  if (random.uniform_double() >= options.mixup_prob) return mix;
  const bool switched = random.uniform_double() < options.mixup_switch_prob;
  mix.cut = options.cutmix > 0 && (options.mixup <= 0 || switched);
  const double alpha = mix.cut ? options.cutmix : options.mixup;
  mix.share = random.beta(alpha, alpha);
  if (!mix.cut || mix.share == 1) return mix;
  mix.box = cut_box(mix.share, batch.rows, batch.cols, random);
  mix.share = 1 - static_cast<double>(mix.box.rows * mix.box.cols) /
                      static_cast<double>(batch.rows * batch.cols);
  return mix;
}

// Writes the mix of `own` and `partner` (the original H x W x C values) to `image`.
void mix_one(const Mix& mix, const Batch& batch, const std::vector<float>& own,
             const std::vector<float>& partner, float* image) {
  if (mix.cut) {
    const int64_t width = mix.box.cols * batch.channels;
    for (int64_t row = mix.box.top; row < mix.box.top + mix.box.rows; ++row) {
      const int64_t start = (row * batch.cols + mix.box.left) * batch.channels;
      std::copy_n(partner.data() + start, width, image + start);
    }
    return;
  }
  const auto share = static_cast<float>(mix.share), other = static_cast<float>(1 - mix.share);
  for (size_t i = 0; i < own.size(); ++i) image[i] = own[i] * share + partner[i] * other;
}

}  // namespace

std::vector<Mix> draw_mix(const AugmentOptions& options, const Batch& batch, uint64_t seed) {
  if (!options.mixes()) return {};
  const auto count = static_cast<size_t>(batch.batch);
  if (count % 2 != 0) {
    fail(ExitCode::kUsage,
         "augment.mixup and augment.cutmix mix images in pairs, but a batch holds {}; choose an "
         "even optim.batch_size",
         count);
  }
  std::vector<Mix> mixes(count);
  for (size_t i = 0; i < count; ++i) {
    if (options.mixup_mode == "batch") {
      mixes[i] = i == 0 ? draw(options, batch, seed, 0) : mixes[0];
    } else if (options.mixup_mode == "pair" && i >= count / 2) {
      mixes[i] = mixes[count - 1 - i];
    } else {
      mixes[i] = draw(options, batch, seed, i);
    }
  }
  return mixes;
}

void apply_mix(std::span<const Mix> mixes, const Batch& batch, float* pixels_BHWC) {
  if (mixes.empty()) return;
  require(mixes.size() == static_cast<size_t>(batch.batch) && batch.batch % 2 == 0,
          "apply_mix: got {} mixes for {} images, expected one each and an even number",
          mixes.size(), batch.batch);
  const auto values = static_cast<size_t>(batch.rows * batch.cols * batch.channels);
  for (size_t i = 0; i < mixes.size() / 2; ++i) {
    const size_t j = mixes.size() - 1 - i;
    float* const first = pixels_BHWC + i * values;
    float* const second = pixels_BHWC + j * values;
    const std::vector<float> first_was(first, first + values);
    const std::vector<float> second_was(second, second + values);
    mix_one(mixes[i], batch, first_was, second_was, first);
    mix_one(mixes[j], batch, second_was, first_was, second);
  }
}

std::vector<float> soft_targets(std::span<const int64_t> labels, int64_t classes, double smoothing,
                                std::span<const Mix> mixes) {
  require(mixes.empty() || mixes.size() == labels.size(),
          "soft_targets: got {} mixes for {} labels, expected one each or none", mixes.size(),
          labels.size());
  const double off = smoothing / static_cast<double>(classes);
  const auto low = static_cast<float>(off), high = static_cast<float>(1 - smoothing + off);
  const auto width = static_cast<size_t>(classes);
  std::vector<float> targets(labels.size() * width);
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] < 0 || labels[i] >= classes) {
      fail(ExitCode::kData, "an image has the label {}, but there are {} classes", labels[i],
           classes);
    }
    const double share = mixes.empty() ? 1 : mixes[i].share;
    const auto own = static_cast<float>(share), other = static_cast<float>(1 - share);
    const int64_t partner = labels[labels.size() - 1 - i];
    for (size_t c = 0; c < width; ++c) {
      const auto target = [&](int64_t label) {
        return static_cast<size_t>(label) == c ? high : low;
      };
      targets[i * width + c] = target(labels[i]) * own + target(partner) * other;
    }
  }
  return targets;
}

}  // namespace fcm::loader
