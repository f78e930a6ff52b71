// Multinomial logistic regression as a convex function of its weights.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "fcm/eval/lbfgs.h"

namespace fcm::eval {

// Features and labels that stay as they are while weights are sought. Weights are one float64
// [C, D + 1], the bias of a class last. Classes come first everywhere: with few of them, the matrix
// products are several times faster so.
class Logistic {
 public:
  // features_ND float32, labels_N int64 below `classes`.
  Logistic(at::Tensor features_ND, at::Tensor labels_N, int64_t classes);

  at::Tensor zero_weights() const;
  at::Tensor scores_CN(const at::Tensor& weights) const;  // float32
  double mean_loss(const at::Tensor& weights) const;      // cross-entropy, without penalty
  // mean_loss + l2 / 2 * squared weights (biases are free), and its gradient.
  Evaluation evaluate(const at::Tensor& weights, double l2) const;
  // Mean of p (1 - p) over features and classes: how strongly the mean loss curves.
  double mean_curvature(const at::Tensor& weights) const;
  int64_t images() const { return features_ND_.size(0); }

 private:
  at::Tensor features_ND_, labels_N_;
  int64_t classes_;
};

// The inverse of `curvature` times the second moments of the features, plus l2, in every class.
// second_moments_DD: float64, see second_moments().
Preconditioner curvature_model(const at::Tensor& second_moments_DD, double curvature, double l2);

// Mean of x x^T, float64 [D, D]; of at most 32768 evenly spaced rows, which is enough for a
// preconditioner.
at::Tensor second_moments(const at::Tensor& features_ND);

}  // namespace fcm::eval
