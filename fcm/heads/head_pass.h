// What a segmentation head needs for one pass besides its maps.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <string>

#include "fcm/nn/batch_norm_maps.h"

namespace fcm::heads {

struct HeadPass {
  // In training: the processes whose images form one batch for batch normalisation
  // (dist::group_of_one() for a single process). Null in evaluation, which uses running statistics.
  nn::Ranks ranks = nullptr;
  // Factors of draw_dropout, [B, C], one for each channel of each image before the last
  // convolution; undefined: no dropout.
  at::Tensor dropout_BC = {};
};

// Dropout2d factors: per channel 1 / (1 - rate) if a random number keyed by (seed, epoch, sample
// id) is at least `rate`, else 0; float32 [B, channels] on `device`. `name` ("decode_head") gives
// each head its own random numbers. Undefined if the rate is 0.
at::Tensor draw_dropout(double rate, int64_t channels, const std::string& name, uint64_t seed,
                        uint64_t epoch, std::span<const int64_t> sample_ids,
                        at::Device device = at::kCPU);

// A map [B, H, W, C] multiplied by the factors of draw_dropout, [B, C].
at::Tensor with_dropout(const at::Tensor& map_BHWC, const at::Tensor& dropout_BC);

}  // namespace fcm::heads
