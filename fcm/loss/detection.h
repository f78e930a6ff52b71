// The losses of Mask R-CNN (detectron2: RPN.losses, FastRCNNOutputLayers.losses, mask_rcnn_loss),
// as sums over what was sampled divided by a number that the caller gives.
//
// The published program divides by numbers of its own rank and averages over ranks. Here a divisor
// is of the whole batch, over all ranks and micro-batches: then the losses of all parts add up to
// that of one process that has the whole batch, however it is split, and gradients are to be summed
// over ranks. Both are the same where every rank has as many pictures and samples as the others.
//
// All losses are scalars, float32, or float64 where the predictions are, and differentiable in the
// predictions. Of nothing they are 0, with gradients of zero, so that every rank goes backward.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "fcm/boxes/sampler.h"

namespace fcm::loss {

// What a picture's anchors are to learn.
struct AnchorTargets {
  boxes::Sampled sampled;  // anchors: positives and negatives
  // Of sampled.positive_P: boxes::encode(anchors, their truths, boxes::kAnchorDeltas).
  at::Tensor deltas_P4;
};

struct RpnLosses {
  at::Tensor objectness;  // loss_rpn_cls: binary cross-entropy
  at::Tensor deltas;      // loss_rpn_loc: absolute differences, of positives
};
// Published divisor of both: 256 (what is to be sampled of a picture, not what was) times pictures.
RpnLosses rpn_losses(const at::Tensor& logits_BA, const at::Tensor& deltas_BA4,
                     const std::vector<AnchorTargets>& targets, double divisor);

// What sampled regions are to learn.
struct RegionTargets {
  at::Tensor classes_R;   // int64; K: background
  at::Tensor regions_R4;  // the boxes from which deltas count
  at::Tensor truths_R4;   // matched truths; of background anything
};

struct BoxLosses {
  at::Tensor classes;  // loss_cls: cross-entropy
  at::Tensor deltas;   // loss_box_reg: absolute differences of the own class, of foreground
};
// scores [R, K + 1], deltas [R, 4 * K] class-major. Published divisor of both: all sampled regions,
// background too.
BoxLosses box_losses(const at::Tensor& scores_RC, const at::Tensor& deltas_RD,
                     const RegionTargets& targets, double divisor);

// loss_mask: binary cross-entropy of the pixels of the own class, logits and targets (0 or 1, of
// any type) [F, M, M]. `foreground`: the published divisor is this, regions of foreground, times
// M * M.
at::Tensor mask_loss(const at::Tensor& logits_FMM, const at::Tensor& targets_FMM,
                     double foreground);

}  // namespace fcm::loss
