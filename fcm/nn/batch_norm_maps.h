// Batch normalisation of channels-last maps, and the ReLU that follows it in upstream's heads.
// Works on runs of rows that stay in the cache: one pass over memory for the statistics, one
// for forward, two for backward. batch_norm.h is the plain form, for [N, C, ...].
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "fcm/dist/group.h"
#include "fcm/nn/batch_norm.h"
#include "fcm/nn/parameters.h"

namespace fcm::nn {

// The ranks whose images form one training batch. Null in evaluation, which uses the running
// statistics.
using Ranks = std::shared_ptr<dist::Group>;

// The statistics that normalise a batch, in the type of the weights, without a gradient.
struct Moments {
  at::Tensor mean_C, inverse_C;  // inverse: 1 / sqrt(variance + epsilon)
  double count = 0;              // values per channel, over all ranks
  Ranks ranks;                   // null: running statistics, constant in backward
};

// (x - mean) * inverse * weight + bias, then ReLU if `relu`. x is [..., C] of any floating type;
// the result has x's shape and type; arithmetic is in the type of weight_C. If moments.ranks is
// set, the moments must have been computed from x: the gradient of x then includes the effect of x
// through them, which takes a sum over all ranks. Gradients of weight and bias are of this rank's
// images only. Of the maps, only x is saved for backward. Not differentiable twice.
at::Tensor normalised(const at::Tensor& x, const at::Tensor& weight_C, const at::Tensor& bias_C,
                      const Moments& moments, bool relu);

// `normalised` in place, without gradients: overwrites and returns x.
at::Tensor normalised_in_place(const at::Tensor& x, const at::Tensor& weight_C,
                               const at::Tensor& bias_C, const Moments& moments, bool relu);

// Upstream's BatchNorm2d: weight, bias, running_mean, running_var and num_batches_tracked. The
// optimizer trains weight and bias; moments() updates the other three. num_batches_tracked counts
// training batches and affects no result; it has the floating type of the model, because all of a
// model's values have one type (upstream's is int64).
class BatchNorm {
 public:
  BatchNorm(const Scope& scope, int64_t channels, const BatchNormOptions& options = {});

  // With ranks: the moments of this batch, [..., C], over all ranks; the running statistics move
  // towards them (as in batch_norm.h). Without ranks: the running statistics. Throws Error(kUsage)
  // if all ranks together have fewer than two values per channel, which have no variance (such as
  // one image pooled to one value). But with OverRanks::kWeightedRanks and no value at all: the
  // running statistics.
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
