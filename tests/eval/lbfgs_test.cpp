#include "fcm/eval/lbfgs.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/eval/synthetic.h"

namespace fcm::eval {
namespace {

at::Tensor same(const at::Tensor& gradient) { return gradient.clone(); }

// 0.5 (x - m)^T A (x - m) with a diagonal A of condition number 1e4.
struct Quadratic {
  at::Tensor curvature_D = at::logspace(0, 4, 30, 10.0, at::kDouble);
  at::Tensor minimum_D = normal_numbers({30}, 4).to(at::kDouble);

  Evaluation operator()(const at::Tensor& x) const {
    const at::Tensor away = x - minimum_D;
    return {0.5 * (curvature_D * away.square()).sum().item<double>(), curvature_D * away};
  }
};

TEST(Lbfgs, FindsTheMinimumOfAQuadratic) {
  const Quadratic quadratic;
  const Minimum minimum = minimise(quadratic, same, at::zeros({30}, at::kDouble),
                                   {.max_iterations = 1000, .tolerance = 1e-8});
  EXPECT_TRUE(minimum.converged);
  EXPECT_LT((minimum.point - quadratic.minimum_D).abs().max().item<double>(), 1e-8);
}

TEST(Lbfgs, ThePreconditionerMakesItOneStep) {
  const Quadratic quadratic;
  const auto inverse = [&](const at::Tensor& gradient) { return gradient / quadratic.curvature_D; };
  const Minimum minimum =
      minimise(quadratic, inverse, at::zeros({30}, at::kDouble), {.tolerance = 1e-8});
  EXPECT_TRUE(minimum.converged);
  EXPECT_LE(minimum.iterations, 2);
}

// The objective is steep on one side of its minimum, where a full step overshoots by far, and has a
// small slope on the other.
TEST(Lbfgs, BracketsWhereFullStepsFail) {
  const Objective valley = [](const at::Tensor& x) {
    const double at = x.item<double>();
    return Evaluation{std::exp(3 * at) - at, (x * 3).exp() * 3 - 1};
  };
  for (const double start : {5.0, -40.0}) {
    const Minimum minimum =
        minimise(valley, same, at::full({1}, start, at::kDouble), {.tolerance = 1e-7});
    EXPECT_TRUE(minimum.converged) << start;
    EXPECT_NEAR(minimum.point.item<double>(), -std::log(3.0) / 3, 1e-7);
  }
}

TEST(Lbfgs, SaysWhenItDidNotArrive) {
  const Quadratic quadratic;
  const Minimum minimum =
      minimise(quadratic, same, at::zeros({30}, at::kDouble), {.max_iterations = 3});
  EXPECT_FALSE(minimum.converged);
  EXPECT_EQ(minimum.iterations, 3);
}

}  // namespace
}  // namespace fcm::eval
