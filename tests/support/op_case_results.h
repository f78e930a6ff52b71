// Runs a case of an operator, forward and backward, and compares the results.
#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <functional>

#include "fcm/ops/cases.h"
#include "tests/support/compare.h"
#include "tests/support/gradcheck.h"

namespace fcm::test {

struct Results {
  at::Tensor forward;
  Inputs gradients;  // undefined: the input is not floating-point, or has no gradient
};

// Runs forward, then backward from an upstream gradient that is the same for every type, except
// that it is rounded to `rounding`.
inline Results evaluate(const std::function<at::Tensor(const Inputs&)>& function,
                        const Inputs& inputs, at::ScalarType rounding) {
  Results results;
  results.forward = function(inputs);
  if (results.forward.requires_grad()) {
    const at::Tensor upstream =
        fixed_normal(results.forward.sizes(), 99).to(rounding).to(results.forward.device());
    results.gradients = gradients(results.forward, inputs, upstream);
  }
  return results;
}

// Compares result and gradients. A failure names the tensor, its type, and where and by how much it
// differs.
inline void expect_close(const Results& got, const Results& wanted, double tolerance,
                         double gradient_tolerance, at::ScalarType dtype) {
  const Difference forward = compare(got.forward, wanted.forward, tolerance);
  EXPECT_EQ(forward.description, "") << "result in " << c10::toString(dtype);
  ASSERT_EQ(got.gradients.size(), wanted.gradients.size());
  for (size_t input = 0; input < got.gradients.size(); ++input) {
    if (!wanted.gradients[input].defined()) continue;
    const Difference gradient =
        compare(got.gradients[input], wanted.gradients[input], gradient_tolerance);
    EXPECT_EQ(gradient.description, "")
        << "gradient of input " << input << " in " << c10::toString(dtype);
  }
}

// The results of the reference in float64, on inputs that are rounded to `dtype`.
inline Results reference_results(const ops::OpCase& op_case, at::ScalarType dtype) {
  const OneThread one_thread;
  return evaluate(op_case.reference, leaves(op_case.inputs(dtype, 1), at::kDouble), dtype);
}

inline Results own_results(const ops::OpCase& op_case, at::ScalarType dtype) {
  return evaluate(op_case.run, leaves(op_case.inputs(dtype, 1)), dtype);
}

}  // namespace fcm::test
