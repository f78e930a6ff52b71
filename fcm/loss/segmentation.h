// The loss of semantic segmentation and the best class of each pixel. As in mmsegmentation's heads,
// logits are upsampled to the resolution of the labels, and the loss is the cross-entropy of each
// pixel. For float32 on the CPU the upsampled logits, [B, K, H, W], are never in memory: one row of
// pixels at a time is upsampled, used and discarded.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace fcm::loss {

inline constexpr int64_t kIgnoredLabel = 255;

struct SegmentationLoss {
  at::Tensor loss;     // scalar: the mean over all pixels, ignored ones counted as 0
  at::Tensor correct;  // scalar, int64: pixels whose label is the best class
};

// logits [B, h, w, K], float32 or float64, at most 255 classes; labels uint8 [B, H, W]: below K, or
// kIgnoredLabel. Upsampling is bilinear with align_corners off. Not differentiable twice. Throws
// Error(kData) for other labels on the CPU; labels on a GPU are not checked.
SegmentationLoss segmentation_loss(const at::Tensor& logits_BHWK, const at::Tensor& labels_BHW);
// segmentation_loss with plain tensor calls and the upsampled logits in memory: used for float64
// and on GPUs, and as the reference.
SegmentationLoss segmentation_loss_plain(const at::Tensor& logits_BHWK,
                                         const at::Tensor& labels_BHW);

// Upsamples the logits to rows x cols pixels and returns the best class of each (argmax, the lowest
// on ties): uint8 [B, rows, cols].
at::Tensor best_classes(const at::Tensor& logits_BHWK, int64_t rows, int64_t cols);

}  // namespace fcm::loss
