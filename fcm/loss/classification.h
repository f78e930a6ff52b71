// Losses of classifiers: means over the images of a batch. Logits of any floating type [B, C]; the
// result is a scalar of float32 (float64 for float64 logits).
#pragma once

#include <ATen/core/Tensor.h>

namespace fcm::loss {

// labels_B: int64, 0 to C - 1.
at::Tensor cross_entropy(const at::Tensor& logits_BC, const at::Tensor& labels_B);

// timm's LabelSmoothingCrossEntropy: (1 - smoothing) times cross_entropy, plus `smoothing` times
// the mean over the classes of the negative log probabilities.
at::Tensor label_smoothing_cross_entropy(const at::Tensor& logits_BC, const at::Tensor& labels_B,
                                         double smoothing = 0.1);

// timm's SoftTargetCrossEntropy: targets_BC are probabilities, as from mixup.
at::Tensor soft_target_cross_entropy(const at::Tensor& logits_BC, const at::Tensor& targets_BC);

}  // namespace fcm::loss
