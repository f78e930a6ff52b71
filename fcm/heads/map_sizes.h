// Resizing maps [B, H, W, C] without parameters.
#pragma once

#include <ATen/core/Tensor.h>

namespace fcm::heads {

// 2 x 2 max pooling: [B, H / 2, W / 2, C], rounded down.
at::Tensor halved_by_maximum(const at::Tensor& map_BHWC);

// Every second position of every second row, starting with the first: detectron2's
// LastLevelMaxPool.
at::Tensor every_second(const at::Tensor& map_BHWC);

// fine [B, 2 h, 2 w, C] plus coarse [B, h, w, C] upsampled by 2 (nearest).
at::Tensor plus_upsampled(const at::Tensor& fine_BHWC, const at::Tensor& coarse_BhwC);

}  // namespace fcm::heads
