// The head of upstream's linear probe (ConvMAE's and MAE's main_linprobe.py), trained with LARS on
// augmented images. eval/linear_probe.h has the deterministic probe, which is solved to its
// optimum.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "fcm/nn/parameters.h"

namespace fcm::heads {

// Batch normalisation without weights (epsilon 1e-6, momentum 0.1), then a linear layer. `scope` is
// upstream's "head", to which it adds 0.running_mean and 0.running_var (updated by train(), not by
// the optimizer), 1.weight and 1.bias.
class BatchNormProbe {
 public:
  BatchNormProbe(const nn::Scope& scope, int64_t dim, int64_t classes);

  // features [B, D] -> logits [B, classes]. Normalises by the mean and (biased) variance of the
  // batch, and moves the running mean and variance a tenth of the way to the batch's mean and
  // (unbiased) variance. Needs at least two images.
  at::Tensor train(const at::Tensor& features_BD);
  // Normalises by the running mean and variance.
  at::Tensor evaluate(const at::Tensor& features_BD) const;

  int64_t batches() const { return batches_; }  // calls of train(): upstream's num_batches_tracked

 private:
  at::Tensor running_mean_D_, running_variance_D_, weight_CD_, bias_C_;
  int64_t batches_ = 0;
};

}  // namespace fcm::heads
