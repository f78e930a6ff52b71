// Maps [B, H, W, C] at other sizes, without parameters.
#pragma once

#include <ATen/core/Tensor.h>

namespace fcm::heads {

// The largest of every 2 x 2 positions: [B, H / 2, W / 2, C], rounded down.
at::Tensor halved_by_maximum(const at::Tensor& map_BHWC);

// Every second position of every second row, from the first: detectron2's LastLevelMaxPool.
at::Tensor every_second(const at::Tensor& map_BHWC);

// fine [B, 2 h, 2 w, C] plus, at each of its positions, the one of coarse [B, h, w, C] that covers
// it.
at::Tensor plus_covering(const at::Tensor& fine_BHWC, const at::Tensor& coarse_BhwC);

}  // namespace fcm::heads
