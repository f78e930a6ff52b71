// Compares computed with stored tensors; records the largest difference of a case and its faults.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace fcm::parity {

// The outcome of one case: a file, a path of the program, a compute dtype.
struct CaseResult {
  std::string name;
  int64_t tensors = 0;  // compared
  double max_abs = 0;   // largest difference, and its tensor
  std::string max_abs_at;
  double max_rel = 0;  // largest difference relative to the tensor's largest value, and its tensor
  std::string max_rel_at;
  double worst = 0;  // largest difference relative to its bound; above 1 is a failure
  std::string worst_at;
  double tolerance = 0;             // the bound of that tensor, relative like max_rel
  std::vector<std::string> faults;  // empty if the case passed

  bool passed() const { return faults.empty() && tensors > 0; }
};

// Differences are computed in float64. `tolerance` is relative to `largest`, the tensor's largest
// absolute value; if `largest` is 0, that of `wanted` is used. A non-finite computed value or
// another number of elements is a fault.
void compare(CaseResult& result, const std::string& name, const at::Tensor& got,
             const at::Tensor& wanted, double tolerance, double largest = 0);

// Any difference is a fault.
void compare_exactly(CaseResult& result, const std::string& name, const at::Tensor& got,
                     const at::Tensor& wanted);

// `tolerance` is relative to `wanted`.
void compare_number(CaseResult& result, const std::string& name, double got, double wanted,
                    double tolerance);

// The L2 norm of the difference relative to that of `wanted`.
double relative_l2(const at::Tensor& got, const at::Tensor& wanted);
void compare_l2(CaseResult& result, const std::string& name, const at::Tensor& got,
                const at::Tensor& wanted, double tolerance);

void add_fault(CaseResult& result, const std::string& fault);

}  // namespace fcm::parity
