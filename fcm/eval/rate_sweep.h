// Trains a linear classifier on frozen features by SGD, at several learning rates side by side. It
// approximates upstream's probe (batch_norm_probe.h) at low cost, for monitoring an encoder during
// training. linear_probe.h instead finds the optimum.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "fcm/eval/accuracy.h"

namespace fcm::eval {

struct SweepOptions {
  std::vector<double> rates{0.01, 0.03, 0.1, 0.3, 1, 3};  // initial; decay to 0 by a half cosine
  int64_t epochs = 20;
  int64_t batch_size = 256;
  double momentum = 0.9;
  double held_out = 0.1;  // fraction of the training images on which the rate is selected
  uint64_t seed = 0;      // for the order of images
};

struct SweepResult : Accuracy {
  double rate = 0;                    // the selected initial rate
  std::vector<double> held_out_top1;  // percent, one value per rate
};

// train_ND, test_MD: any floating-point type on the CPU; labels: int64, from 0 to classes - 1.
// Features are normalised by mean and std of all training images (epsilon 1e-6), where upstream's
// head uses batch and running statistics. All rates see the same batches, so one matrix product
// computes the scores of all. Deterministic. Throws the same errors as linear_probe.
SweepResult rate_sweep(const at::Tensor& train_ND, const at::Tensor& train_labels_N,
                       const at::Tensor& test_MD, const at::Tensor& test_labels_M, int64_t classes,
                       const SweepOptions& options = {});

}  // namespace fcm::eval
