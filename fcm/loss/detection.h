// The losses of Mask R-CNN (detectron2: RPN.losses, FastRCNNOutputLayers.losses, mask_rcnn_loss),
// as sums over the sampled anchors and regions divided by a number that the caller passes.
//
// Here the divisor counts the whole batch, over all ranks and micro-batches. So the losses of the
// parts add up to the loss of one process with the whole batch, however it is split; gradients have
// to be summed over ranks. Upstream divides by the counts of each rank and averages over ranks. The
// two agree if all ranks have equally many images and samples.
//
// All losses are scalars, float32 (float64 for float64 predictions), and differentiable in the
// predictions. If nothing was sampled they are 0 with zero gradients, so that every rank can run
// backward.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "fcm/boxes/sampler.h"

namespace fcm::loss {

// Targets of the anchors of one image.
struct AnchorTargets {
  boxes::Sampled sampled;  // indices of the sampled anchors: positives and negatives
  // For sampled.positive_P: boxes::encode(anchors, their ground truths, boxes::kAnchorDeltas).
  at::Tensor deltas_P4;
};

struct RpnLosses {
  at::Tensor objectness;  // loss_rpn_cls: binary cross-entropy
  at::Tensor deltas;      // loss_rpn_loc: absolute differences, positives only
};
// Upstream's divisor for both losses: 256 per image (the sample size, even if fewer were found).
RpnLosses rpn_losses(const at::Tensor& logits_BA, const at::Tensor& deltas_BA4,
                     const std::vector<AnchorTargets>& targets, double divisor);

// Targets of the sampled regions.
struct RegionTargets {
  at::Tensor classes_R;   // int64; K: background
  at::Tensor regions_R4;  // the boxes that the deltas are relative to
  at::Tensor truths_R4;   // matched ground truths; unused for background
};

struct BoxLosses {
  at::Tensor classes;  // loss_cls: cross-entropy
  at::Tensor deltas;   // loss_box_reg: absolute differences of the true class, foreground only
};
// scores [R, K + 1], deltas [R, 4 * K] class-major. Upstream's divisor for both losses: the number
// of sampled regions, background included.
BoxLosses box_losses(const at::Tensor& scores_RC, const at::Tensor& deltas_RD,
                     const RegionTargets& targets, double divisor);

// loss_mask: binary cross-entropy over the pixels of the true class's mask. logits and targets (0
// or 1, any type): [F, M, M]. Divides by `foreground` * M * M; upstream's `foreground` is the
// number of foreground regions.
at::Tensor mask_loss(const at::Tensor& logits_FMM, const at::Tensor& targets_FMM,
                     double foreground);

}  // namespace fcm::loss
