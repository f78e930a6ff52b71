// Pixels as targets.
#pragma once

#include <ATen/core/Tensor.h>

#include "fcm/targets/options.h"

namespace fcm::targets {

// pixels [B, L, P, D] of float32 or float64 -> [B, L, P*D] in storage order. With norm_pix each
// patch is shifted by its mean and divided by the square root of its unbiased variance plus epsilon
// (source: forward_loss of models_fastconvmae.py; the mean over a patch does not depend on the
// order of its pixels).
at::Tensor rgb_targets(const at::Tensor& pixels_BLPD, const TargetOptions& options);

}  // namespace fcm::targets
