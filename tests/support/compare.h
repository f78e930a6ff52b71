// Compares a tensor with its expected values and says where and by how much they differ.
#pragma once

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>

namespace fcm::test {

// Largest differences between `got` and `wanted`, both in float64.
struct Difference {
  double max_abs = 0;       // largest |got - wanted|; infinite if only one of them is finite
  double max_rel = 0;       // max_abs divided by the largest |wanted| of the tensor
  int64_t first_bad = -1;   // flat index of the first element beyond the tolerance; -1: none
  std::string description;  // text about that element and the largest error; empty: none
};

inline std::string index_text(int64_t flat, at::IntArrayRef sizes) {
  std::string text;
  for (auto dim = static_cast<int64_t>(sizes.size()) - 1; dim >= 0; --dim) {
    const int64_t size = sizes[static_cast<size_t>(dim)];
    text = fmt::format("{}{}{}", flat % size, text.empty() ? "" : ", ", text);
    flat /= size;
  }
  return "[" + text + "]";
}

// Elements may differ by `tolerance` times the largest |wanted|. A NaN equals only a NaN.
inline Difference compare(const at::Tensor& got, const at::Tensor& wanted, double tolerance) {
  Difference result;
  if (!got.defined() || !wanted.defined() || got.sizes() != wanted.sizes()) {
    result.first_bad = 0;
    result.max_abs = result.max_rel = std::numeric_limits<double>::infinity();
    result.description = "undefined, or of another shape";
    return result;
  }
  const at::Tensor a = got.detach().to(at::kDouble).contiguous();
  const at::Tensor b = wanted.detach().to(at::kDouble).contiguous();
  const auto* got_values = a.const_data_ptr<double>();
  const auto* wanted_values = b.const_data_ptr<double>();
  double largest = 0;
  for (int64_t i = 0; i < b.numel(); ++i) {
    if (std::isfinite(wanted_values[i])) largest = std::max(largest, std::abs(wanted_values[i]));
  }
  for (int64_t i = 0; i < a.numel(); ++i) {
    double error = std::abs(got_values[i] - wanted_values[i]);
    if (got_values[i] == wanted_values[i]) error = 0;  // equal infinities
    if (std::isnan(error)) {
      const bool both = std::isnan(got_values[i]) && std::isnan(wanted_values[i]);
      error = both ? 0 : std::numeric_limits<double>::infinity();
    }
    result.max_abs = std::max(result.max_abs, error);
    if (error > tolerance * largest && result.first_bad < 0) result.first_bad = i;
  }
  if (result.max_abs > 0) result.max_rel = result.max_abs / largest;
  if (result.first_bad >= 0) {
    result.description =
        fmt::format("first at {}: {} instead of {}; max abs {:.3g}, max rel {:.3g}, allowed {:.3g}",
                    index_text(result.first_bad, a.sizes()), got_values[result.first_bad],
                    wanted_values[result.first_bad], result.max_abs, result.max_rel, tolerance);
  }
  return result;
}

// Whether types, shapes and the bits of all values are equal, NaN included.
inline bool same_bits(const at::Tensor& a, const at::Tensor& b) {
  if (a.scalar_type() != b.scalar_type() || a.sizes() != b.sizes()) return false;
  const at::Tensor left = a.detach().contiguous(), right = b.detach().contiguous();
  if (left.numel() == 0) return true;
  return std::memcmp(left.const_data_ptr(), right.const_data_ptr(), left.nbytes()) == 0;
}

// Sets LibTorch to one thread during its lifetime. References make many small calls, which several
// threads slow down on a busy machine.
class OneThread {
 public:
  OneThread() : before_(at::get_num_threads()) { at::set_num_threads(1); }
  ~OneThread() { at::set_num_threads(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

}  // namespace fcm::test
