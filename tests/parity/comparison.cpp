#include "tests/parity/comparison.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace fcm::parity {
namespace {

void note(CaseResult& result, const std::string& name, double abs, double rel, double tolerance) {
  ++result.tensors;
  if (abs > result.max_abs) {
    result.max_abs = abs;
    result.max_abs_at = name;
  }
  if (rel > result.max_rel) {
    result.max_rel = rel;
    result.max_rel_at = name;
  }
  const double share = tolerance > 0 ? rel / tolerance : (rel > 0 ? INFINITY : 0);
  if (share > result.worst || result.worst_at.empty()) {
    result.worst = share;
    result.worst_at = name;
    result.tolerance = tolerance;
  }
  if (!(share <= 1)) {
    add_fault(result,
              fmt::format("{}: relative error {:.3g}, {:.3g} allowed", name, rel, tolerance));
  }
}

bool same_shape(CaseResult& result, const std::string& name, const at::Tensor& got,
                const at::Tensor& wanted) {
  if (got.numel() == wanted.numel()) return true;
  add_fault(result,
            fmt::format("{}: {} values computed, {} stored", name, got.numel(), wanted.numel()));
  return false;
}

}  // namespace

void add_fault(CaseResult& result, const std::string& fault) {
  constexpr size_t kNamed = 20;  // faults beyond this number are dropped
  if (result.faults.size() < kNamed) result.faults.push_back(fault);
}

void compare(CaseResult& result, const std::string& name, const at::Tensor& got,
             const at::Tensor& wanted, double tolerance, double largest) {
  if (!same_shape(result, name, got, wanted) || wanted.numel() == 0) return;
  const at::Tensor a = got.detach().to(at::kDouble).flatten();
  const at::Tensor b = wanted.detach().to(at::kDouble).flatten();
  if (!a.isfinite().all().item<bool>()) {
    add_fault(result, name + ": not finite");
    return;
  }
  const double abs = (a - b).abs().max().item<double>();
  const double scale = largest > 0 ? largest : b.abs().max().item<double>();
  note(result, name, abs, scale > 0 ? abs / scale : (abs > 0 ? INFINITY : 0), tolerance);
}

void compare_exactly(CaseResult& result, const std::string& name, const at::Tensor& got,
                     const at::Tensor& wanted) {
  if (!same_shape(result, name, got, wanted)) return;
  ++result.tensors;
  if (!got.flatten().to(wanted.scalar_type()).equal(wanted.flatten())) {
    add_fault(result, name + ": differs from the stored tensor, but must be equal");
  }
}

void compare_number(CaseResult& result, const std::string& name, double got, double wanted,
                    double tolerance) {
  if (!std::isfinite(got)) {
    add_fault(result, name + ": not finite");
    return;
  }
  const double abs = std::abs(got - wanted);
  note(result, name, abs, wanted != 0 ? abs / std::abs(wanted) : abs, tolerance);
}

double relative_l2(const at::Tensor& got, const at::Tensor& wanted) {
  const at::Tensor a = got.detach().to(at::kDouble).flatten();
  const at::Tensor b = wanted.detach().to(at::kDouble).flatten();
  return (a - b).norm().item<double>() / std::max(b.norm().item<double>(), 1e-300);
}

void compare_l2(CaseResult& result, const std::string& name, const at::Tensor& got,
                const at::Tensor& wanted, double tolerance) {
  const double error = relative_l2(got, wanted);
  if (!std::isfinite(error)) return add_fault(result, name + ": not finite");
  note(result, name, 0, error, tolerance);
}

}  // namespace fcm::parity
