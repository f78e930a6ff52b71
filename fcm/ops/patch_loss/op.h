// Mean squared or absolute error of predicted patches, summed over patches.
#pragma once

#include <ATen/core/Tensor.h>

namespace fcm::ops {

enum class PatchError { kSquared, kAbsolute };

// Returns the sum over images, views and their hidden patches of the mean over D of the squared or
// absolute difference, float32 (float64 for float64 predictions). predictions_BGHD: float32,
// bfloat16 or float64. targets [B, L, D] by slot, floating-point, without gradients.
// hidden_slots_GH: int64, the slot of each prediction. Saves for backward: predictions and targets.
// Source: forward_loss of models_fastconvmae.py, before the division by the number of patches;
// SimMIM's models/simmim.py for the absolute error.
at::Tensor patch_loss(const at::Tensor& predictions_BGHD, const at::Tensor& targets_BLD,
                      const at::Tensor& hidden_slots_GH, PatchError error = PatchError::kSquared);
at::Tensor patch_loss_reference(const at::Tensor& predictions_BGHD, const at::Tensor& targets_BLD,
                                const at::Tensor& hidden_slots_GH,
                                PatchError error = PatchError::kSquared);

}  // namespace fcm::ops
