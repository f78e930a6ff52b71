// What a head of segmentation has to know of the pass it is part of.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <string>

#include "fcm/nn/batch_norm_maps.h"

namespace fcm::heads {

struct HeadPass {
  // Training: the processes whose pictures are one batch for batch normalisation
  // (dist::group_of_one() for one process). None: evaluation, by running statistics, no matter how
  // many pictures there are.
  nn::Ranks ranks = nullptr;
  // What each channel of each picture is multiplied with before the last convolution, [B, C],
  // draw_dropout's; undefined: nothing is dropped.
  at::Tensor dropout_BC = {};
};

// Dropout2d: whole channels, 1 / (1 - rate) where a draw keyed by (seed, epoch, sample id) is not
// below the rate, else 0: float32 [B, channels] on `device`. `name` tells heads apart
// ("decode_head"). Undefined where the rate is 0.
at::Tensor draw_dropout(double rate, int64_t channels, const std::string& name, uint64_t seed,
                        uint64_t epoch, std::span<const int64_t> sample_ids,
                        at::Device device = at::kCPU);

// A map [B, H, W, C] by those factors.
at::Tensor with_dropout(const at::Tensor& map_BHWC, const at::Tensor& dropout_BC);

}  // namespace fcm::heads
