// Multinomial logistic regression as a convex function of its weights.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "fcm/eval/lbfgs.h"

namespace fcm::eval {

// The objective for fixed features and labels. Weights are one float64 [C, D + 1], a class's bias
// last. Classes come first everywhere: with few of them, matrix products are several times faster
// that way.
class Logistic {
 public:
  // features_ND float32, labels_N int64 below `classes`.
  Logistic(at::Tensor features_ND, at::Tensor labels_N, int64_t classes);

  at::Tensor zero_weights() const;
  at::Tensor scores_CN(const at::Tensor& weights) const;  // float32
  double mean_loss(const at::Tensor& weights) const;      // cross-entropy, without penalty
  // mean_loss + l2 / 2 * squared weights (biases are free), and its gradient.
  Evaluation evaluate(const at::Tensor& weights, double l2) const;
  // Mean of p (1 - p) over images and classes: the scale of the mean loss's curvature.
  double mean_curvature(const at::Tensor& weights) const;
  int64_t images() const { return features_ND_.size(0); }

 private:
  at::Tensor features_ND_, labels_N_;
  int64_t classes_;
};

// Preconditioner: the inverse of `curvature` times the features' second moments plus l2, for every
// class. second_moments_DD: float64, see second_moments().
Preconditioner curvature_model(const at::Tensor& second_moments_DD, double curvature, double l2);

// Mean of x x^T, float64 [D, D], over at most 32768 evenly spaced rows, which is enough for a
// preconditioner.
at::Tensor second_moments(const at::Tensor& features_ND);

}  // namespace fcm::eval
