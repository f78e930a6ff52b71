// Multinomial logistic regression as a convex function of its weights.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "fcm/eval/lbfgs.h"

namespace fcm::eval {

// The objective for fixed features and labels. Weights are one tensor float64 [C, D + 1]; the last
// column is the bias. Classes are the first dimension of all matrices, because with few classes
// matrix products are then several times faster.
class Logistic {
 public:
  // features_ND: float32; labels_N: int64, from 0 to classes - 1.
  Logistic(at::Tensor features_ND, at::Tensor labels_N, int64_t classes);

  at::Tensor zero_weights() const;
  at::Tensor scores_CN(const at::Tensor& weights) const;  // float32
  double mean_loss(const at::Tensor& weights) const;      // cross-entropy, without penalty
  // mean_loss + l2 / 2 * squared weights (without biases), and its gradient.
  Evaluation evaluate(const at::Tensor& weights, double l2) const;
  // Mean of p (1 - p) over images and classes, where p is the predicted probability of a class. The
  // curvature of the mean loss is approximately proportional to it.
  double mean_curvature(const at::Tensor& weights) const;
  int64_t images() const { return features_ND_.size(0); }

 private:
  at::Tensor features_ND_, labels_N_;
  int64_t classes_;
};

// Preconditioner: the inverse of (curvature * second_moments_DD + l2 * identity) for the weights,
// the same for every class, and 1 / curvature for the biases. second_moments_DD: float64, from
// second_moments().
Preconditioner curvature_model(const at::Tensor& second_moments_DD, double curvature, double l2);

// Mean of x x^T over the rows x: float64 [D, D]. Uses at most 32768 evenly spaced rows, which is
// accurate enough for a preconditioner.
at::Tensor second_moments(const at::Tensor& features_ND);

}  // namespace fcm::eval
