// Linear probe: logistic regression on frozen features, trained to its optimum.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "fcm/eval/accuracy.h"

namespace fcm::eval {

struct ProbeOptions {
  // Candidates for l2, strongest first. The penalty is l2 / 2 times the squared weights, added to
  // the mean cross-entropy on standardised features. A single candidate is used without selection.
  std::vector<double> l2{1, 0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5};
  double tolerance = 1e-4;  // largest gradient norm of the final fit
  int64_t max_iterations = 500;
  std::function<void()> count_pass = {};  // called after each pass over the training features
};

struct ProbeResult : Accuracy {
  double l2 = 0;             // the chosen candidate
  double train_loss = 0;     // mean cross-entropy, without penalty
  double gradient_norm = 0;  // of the penalised loss at the end
  int64_t iterations = 0;    // of the selection and the final fit together
  bool converged = false;    // gradient_norm is within the tolerance
  // The classifier: scores = (x - mean) * scale @ weights + bias. float32; scale is 0 for features
  // that are constant in training.
  at::Tensor mean_D, scale_D, weights_DC, bias_C;
};

// train_ND, test_MD: any floating-point type on the CPU; labels: int64, from 0 to classes - 1.
// Deterministic. Memory in addition to the inputs: about two float32 copies of train_ND and one of
// test_MD. Throws Error(kData) for wrong labels or shapes, Error(kNumeric) for non-finite features.
ProbeResult linear_probe(const at::Tensor& train_ND, const at::Tensor& train_labels_N,
                         const at::Tensor& test_MD, const at::Tensor& test_labels_M,
                         int64_t classes, const ProbeOptions& options = {});

}  // namespace fcm::eval
