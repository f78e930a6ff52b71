// The loss of semantic segmentation: logits upsampled to the pixels, cross-entropy of each, as
// mmsegmentation's heads compute it; and the classes that upsampled logits choose. The upsampled
// logits, [B, K, H, W], are never in memory: rows of pixels are made, used and forgotten.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace fcm::loss {

inline constexpr int64_t kIgnoredLabel = 255;

struct SegmentationLoss {
  at::Tensor loss;   // scalar: the mean over all pixels, ignored ones counted as 0
  at::Tensor right;  // scalar, int64: pixels whose label is the likeliest class
};

// logits [B, h, w, K], float32 or float64, at most 255 classes; labels uint8 [B, H, W]: below K, or
// kIgnoredLabel. Bilinear, align_corners off. Not differentiable twice. Throws Error(kData) for
// another label.
SegmentationLoss segmentation_loss(const at::Tensor& logits_BHWK, const at::Tensor& labels_BHW);
// The same by plain tensor calls, with the upsampled logits: what float64 takes, and the oracle.
SegmentationLoss segmentation_loss_plain(const at::Tensor& logits_BHWK,
                                         const at::Tensor& labels_BHW);

// The likeliest class of each of rows x cols pixels that the logits are upsampled to, the lowest
// one of several: uint8 [B, rows, cols].
at::Tensor best_classes(const at::Tensor& logits_BHWK, int64_t rows, int64_t cols);

}  // namespace fcm::loss
