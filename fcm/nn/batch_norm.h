// Batch normalisation over the pictures of all ranks.
#pragma once

#include <ATen/core/Tensor.h>

#include "fcm/dist/group.h"

namespace fcm::nn {

// What evaluation normalises by: moving averages of what training saw. float32 or float64, [C].
struct RunningStatistics {
  at::Tensor mean_C, variance_C;
};

// What the pictures of several ranks are to each other. Both normalise by the mean and the biased
// variance of all of them; one rank is the same either way.
enum class OverRanks {
  // PyTorch's SyncBatchNorm: one batch. Less than two values a channel have no variance.
  kOneBatch,
  // detectron2's NaiveSyncBatchNorm with stats_mode "N": means and mean squares of the ranks,
  // averaged by their numbers of pictures, which is the same where all maps have one size, as maps
  // of regions do. With several ranks `running` moves towards the biased variance. No rank needs
  // pictures: where none has any, nothing moves.
  kWeightedRanks,
};

struct BatchNormOptions {
  double epsilon = 1e-5;
  double momentum = 0.1;  // of a new batch in the moving averages
  OverRanks over_ranks = OverRanks::kOneBatch;
};

// Of `count` values over all ranks of the group: by what the sum of squares around the mean is
// divided for the running variance.
double running_divisor(double count, const dist::Group& group, const BatchNormOptions& options);

// PyTorch's batch_norm in training, where the batch is that of all ranks together: normalised by
// its mean and biased variance over everything but dimension 1, then times weight plus bias;
// `running` moves towards its mean and unbiased variance (or what OverRanks says). Ranks may have
// different numbers of pictures, and all have to call it, forward and backward. Statistics are
// summed in float64, so that a picture's result does not depend on the number of ranks but by
// rounding. Gradients of weight and bias are of this rank's pictures alone, as those of any layer,
// for the reducer to sum.
//
// x: [N, C, ...], any floating type; weight_C and bias_C of the type of `running`. The result is
// like x. Not differentiable twice.
at::Tensor batch_norm(const at::Tensor& x, const at::Tensor& weight_C, const at::Tensor& bias_C,
                      const RunningStatistics& running, const std::shared_ptr<dist::Group>& group,
                      const BatchNormOptions& options = {});

// The same by the moving averages, as in evaluation; no rank waits for another.
at::Tensor batch_norm_by(const RunningStatistics& running, const at::Tensor& x,
                         const at::Tensor& weight_C, const at::Tensor& bias_C,
                         const BatchNormOptions& options = {});

}  // namespace fcm::nn
