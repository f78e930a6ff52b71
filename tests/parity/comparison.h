// Comparing what was computed with what was stored: the worst of a case is kept, all faults are
// named.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace fcm::parity {

// The outcome of one case: a file, a path through this program, a compute type.
struct CaseResult {
  std::string name;
  int64_t tensors = 0;  // compared
  double max_abs = 0;   // largest difference, and where
  std::string max_abs_at;
  double max_rel = 0;  // largest difference over the tensor's largest value, and where
  std::string max_rel_at;
  double worst = 0;  // largest difference over what is allowed there; more than 1 is a failure
  std::string worst_at;
  double tolerance = 0;             // what was allowed there, as max_rel counts
  std::vector<std::string> faults;  // empty: passed

  bool passed() const { return faults.empty() && tensors > 0; }
};

// Differences are taken in float64. `largest` is the tensor's largest absolute value, of which
// `tolerance` is a share; 0: that of `wanted`. NaN anywhere is a fault, as is another shape.
void compare(CaseResult& result, const std::string& name, const at::Tensor& got,
             const at::Tensor& wanted, double tolerance, double largest = 0);

// The same bits.
void compare_exactly(CaseResult& result, const std::string& name, const at::Tensor& got,
                     const at::Tensor& wanted);

// Differences relative to `wanted` itself.
void compare_number(CaseResult& result, const std::string& name, double got, double wanted,
                    double tolerance);

// Root of the sum of squares of the difference, over that of `wanted`.
double relative_l2(const at::Tensor& got, const at::Tensor& wanted);
void compare_l2(CaseResult& result, const std::string& name, const at::Tensor& got,
                const at::Tensor& wanted, double tolerance);

void add_fault(CaseResult& result, const std::string& fault);

}  // namespace fcm::parity
