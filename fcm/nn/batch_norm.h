// Batch normalisation over the images of all ranks.
#pragma once

#include <ATen/core/Tensor.h>

#include "fcm/dist/group.h"

namespace fcm::nn {

// Moving averages of the training statistics, used in evaluation. float32 or float64, [C].
struct RunningStatistics {
  at::Tensor mean_C, variance_C;
};

// How the images of several ranks are combined. Either way a batch is normalised by the mean and
// the biased variance over all ranks; with one rank there is no difference.
enum class OverRanks {
  // PyTorch's SyncBatchNorm: one batch. Needs at least two values per channel over all ranks.
  kOneBatch,
  // detectron2's NaiveSyncBatchNorm with stats_mode "N", which weights the means and mean squares
  // of the ranks by their numbers of images. If all maps have one size, as maps of regions do, this
  // equals one batch, and it is computed as one batch here. With several ranks `running` moves
  // towards the biased variance. If no rank has any image, `running` does not change.
  kWeightedRanks,
};

struct BatchNormOptions {
  double epsilon = 1e-5;
  double momentum = 0.1;  // weight of a new batch in the moving averages
  OverRanks over_ranks = OverRanks::kOneBatch;
};

// The number by which the sum of squares around the mean is divided to get the running variance.
// `count`: values per channel over all ranks of the group.
double running_divisor(double count, const dist::Group& group, const BatchNormOptions& options);

// PyTorch's batch_norm in training mode, over the batch of all ranks: normalises x by the mean and
// the biased variance over all dimensions but 1, multiplies by weight and adds bias. `running`
// moves towards the mean and the unbiased variance (or as OverRanks says). Ranks may have different
// numbers of images, but every rank has to call it, forward and backward. Statistics are summed in
// float64, so an image's result does not depend on the number of ranks except for rounding.
// Gradients of weight and bias are of this rank's images only, as in any layer; the reducer sums
// them.
//
// x: [N, C, ...], any floating type; weight_C and bias_C of the type of `running`. The result has
// x's shape and type. Not differentiable twice.
at::Tensor batch_norm(const at::Tensor& x, const at::Tensor& weight_C, const at::Tensor& bias_C,
                      const RunningStatistics& running, const std::shared_ptr<dist::Group>& group,
                      const BatchNormOptions& options = {});

// Normalises by the moving averages instead, as in evaluation; without communication.
at::Tensor batch_norm_by(const RunningStatistics& running, const at::Tensor& x,
                         const at::Tensor& weight_C, const at::Tensor& bias_C,
                         const BatchNormOptions& options = {});

}  // namespace fcm::nn
