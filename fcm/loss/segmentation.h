// The loss of semantic segmentation, as in mmsegmentation's heads: logits are upsampled to the
// resolution of the labels, then cross-entropy per pixel; and the best class of each pixel. The
// upsampled logits, [B, K, H, W], are never in memory: rows of pixels are computed, used and
// discarded.
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
// kIgnoredLabel. Bilinear, align_corners off. Not differentiable twice. Throws Error(kData) for
// other labels.
SegmentationLoss segmentation_loss(const at::Tensor& logits_BHWK, const at::Tensor& labels_BHW);
// The same with plain tensor calls and the upsampled logits in memory: used for float64 and GPUs,
// and as the reference.
SegmentationLoss segmentation_loss_plain(const at::Tensor& logits_BHWK,
                                         const at::Tensor& labels_BHW);

// The best class (argmax, the lowest on ties) of each of rows x cols pixels that the logits are
// upsampled to: uint8 [B, rows, cols].
at::Tensor best_classes(const at::Tensor& logits_BHWK, int64_t rows, int64_t cols);

}  // namespace fcm::loss
