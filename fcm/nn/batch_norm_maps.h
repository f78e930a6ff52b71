// Batch normalisation of maps whose channels lie last, and the ReLU that follows it in published
// heads: in runs of rows that stay in the cache, in one pass over memory for the statistics, one
// forward and two backward. batch_norm.h is the plain form, for any layout.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "fcm/dist/group.h"
#include "fcm/nn/batch_norm.h"
#include "fcm/nn/parameters.h"

namespace fcm::nn {

// Whose pictures are one batch in training; none: evaluation, by running statistics.
using Ranks = std::shared_ptr<dist::Group>;

// What a batch is normalised by, of the type of the weights, without a gradient of its own.
struct Moments {
  at::Tensor mean_C, inverse_C;  // 1 / sqrt(variance + epsilon)
  double count = 0;              // values a channel, over all ranks
  Ranks ranks;                   // none: constants, not moments of what they normalise
};

// (x - mean) * inverse * weight + bias, and the larger of that and 0 if `relu`. x [..., C] of any
// floating type, the result like x, arithmetic in the type of weight_C. Where the moments are those
// of x, the gradient counts what x does to them, which is a sum over all ranks; gradients of weight
// and bias are of this rank's pictures alone. Keeps x only. Not differentiable twice.
at::Tensor normalised(const at::Tensor& x, const at::Tensor& weight_C, const at::Tensor& bias_C,
                      const Moments& moments, bool relu);

// The same in the memory of x, which is returned, without gradients.
at::Tensor normalised_in_place(const at::Tensor& x, const at::Tensor& weight_C,
                               const at::Tensor& bias_C, const Moments& moments, bool relu);

// The published BatchNorm2d: weight, bias, and the frozen running_mean, running_var and
// num_batches_tracked, which counts batches of training and changes no result. (All of a model's
// values have one floating type, so the counter is a number of that type, published as int64.)
class BatchNorm {
 public:
  BatchNorm(const Scope& scope, int64_t channels, const BatchNormOptions& options = {});

  // Of this batch, [..., C], over all ranks, and the running ones move towards them (as in
  // batch_norm.h); of evaluation without ranks. Throws Error(kUsage) where all ranks together have
  // one value a channel, which has no variance: pictures pooled to one value, one picture.
  // OverRanks::kWeightedRanks without any value: those of evaluation.
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
