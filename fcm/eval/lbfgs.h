// L-BFGS for smooth convex functions.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

namespace fcm::eval {

struct Evaluation {
  double value = 0;
  at::Tensor gradient;  // float64, shape of the point
};

using Objective = std::function<Evaluation(const at::Tensor& point)>;
// An approximate inverse of the Hessian, applied to a gradient; symmetric, positive definite.
using Preconditioner = std::function<at::Tensor(const at::Tensor& gradient)>;

struct LbfgsOptions {
  int64_t history = 10;  // stored pairs of steps and gradient changes
  int64_t max_iterations = 500;
  double tolerance = 1e-4;  // on the gradient's norm
};

struct Minimum {
  at::Tensor point;
  double value = 0;
  double gradient_norm = 0;
  int64_t iterations = 0;
  int64_t evaluations = 0;
  // Whether gradient_norm is within the tolerance. If not, max_iterations was reached, or no step
  // lowers the value by more than its rounding error.
  bool converged = false;
};

// Minimises `objective` from the point `start`: float64, any shape.
Minimum minimise(const Objective& objective, const Preconditioner& precondition,
                 const at::Tensor& start, const LbfgsOptions& options);

}  // namespace fcm::eval
