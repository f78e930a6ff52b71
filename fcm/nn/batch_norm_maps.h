// Batch normalisation of channels-last maps, and the ReLU that follows it in upstream's heads.
// Works in runs of rows that stay in the cache: one pass over memory for the statistics, one
// forward, two backward. batch_norm.h is the plain form, for any layout.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "fcm/dist/group.h"
#include "fcm/nn/batch_norm.h"
#include "fcm/nn/parameters.h"

namespace fcm::nn {

// The ranks whose images form one training batch; null: evaluation, with running statistics.
using Ranks = std::shared_ptr<dist::Group>;

// The statistics that normalise a batch, in the type of the weights, without a gradient.
struct Moments {
  at::Tensor mean_C, inverse_C;  // 1 / sqrt(variance + epsilon)
  double count = 0;              // values a channel, over all ranks
  Ranks ranks;                   // null: constants, not the moments of the batch
};

// (x - mean) * inverse * weight + bias, then ReLU if `relu`. x [..., C] of any floating type, the
// result like x, arithmetic in the type of weight_C. If the moments are those of x, the gradient
// includes their dependence on x, which is a sum over all ranks; gradients of weight and bias are
// of this rank's images only. Saves x only. Not differentiable twice.
at::Tensor normalised(const at::Tensor& x, const at::Tensor& weight_C, const at::Tensor& bias_C,
                      const Moments& moments, bool relu);

// The same in place: overwrites and returns x, without gradients.
at::Tensor normalised_in_place(const at::Tensor& x, const at::Tensor& weight_C,
                               const at::Tensor& bias_C, const Moments& moments, bool relu);

// Upstream's BatchNorm2d: weight, bias, and the frozen running_mean, running_var and
// num_batches_tracked, which counts training batches and changes no result. (All of a model's
// values have one floating type, so the counter does too; upstream's is int64.)
class BatchNorm {
 public:
  BatchNorm(const Scope& scope, int64_t channels, const BatchNormOptions& options = {});

  // With ranks: the moments of this batch, [..., C], over all ranks; the running statistics move
  // towards them (as in batch_norm.h). Without: those of evaluation. Throws Error(kUsage) if all
  // ranks together have one value a channel, which has no variance (one image, pooled to one
  // value). OverRanks::kWeightedRanks without any value: those of evaluation.
  Moments moments(const at::Tensor& x, const Ranks& ranks) const;
  at::Tensor operator()(const at::Tensor& x, const Ranks& ranks, bool relu = false) const;

  const at::Tensor& weight() const { return weight_C_; }
  const at::Tensor& bias() const { return bias_C_; }

 private:
  at::Tensor weight_C_, bias_C_;
  RunningStatistics running_;
  at::Tensor batches_;
  BatchNormOptions options_;
};

}  // namespace fcm::nn
