// The state of the pass that a segmentation head is part of.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <string>

#include "fcm/nn/batch_norm_maps.h"

namespace fcm::heads {

struct HeadPass {
  // Training: the processes whose images are one batch for batch normalisation
  // (dist::group_of_one() for one process). Null: evaluation with running statistics, independent
  // of the number of images.
  nn::Ranks ranks = nullptr;
  // The dropout factor of each channel of each image before the last convolution, [B, C], from
  // draw_dropout; undefined: no dropout.
  at::Tensor dropout_BC = {};
};

// Dropout2d factors: per channel 1 / (1 - rate) if a draw keyed by (seed, epoch, sample id) is at
// least `rate`, else 0; float32 [B, channels] on `device`. `name` gives each head its own draws
// ("decode_head"). Undefined if the rate is 0.
at::Tensor draw_dropout(double rate, int64_t channels, const std::string& name, uint64_t seed,
                        uint64_t epoch, std::span<const int64_t> sample_ids,
                        at::Device device = at::kCPU);

// A map [B, H, W, C] multiplied by those factors [B, C].
at::Tensor with_dropout(const at::Tensor& map_BHWC, const at::Tensor& dropout_BC);

}  // namespace fcm::heads
