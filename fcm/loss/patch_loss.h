// Mean squared error over hidden patches.
#pragma once

#include <ATen/core/Tensor.h>

namespace fcm::loss {

// Sum over pictures, views and hidden patches of the mean squared error of a patch.
//   predictions_BGHD   [B, views, hidden, D], compute type
//   targets_BLD        [B, L, D], float32 or float64
//   hidden_slots_GH    int64 [views, hidden]
// Divide by the number of (picture, view, hidden patch) triples for the published loss
// (forward_loss of models_fastconvmae.py: sum(loss * mask) / sum(mask)).
at::Tensor patch_loss_sum(const at::Tensor& predictions_BGHD, const at::Tensor& targets_BLD,
                          const at::Tensor& hidden_slots_GH);

}  // namespace fcm::loss
