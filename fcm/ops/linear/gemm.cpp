#include "fcm/ops/linear/gemm.h"

#include <algorithm>
#include <vector>

#include "fcm/base/stats.h"

namespace fcm::ops {
namespace {

struct Stored {
  GemmMatrix matrix;
  bool transpose;
};

// `x` transposed, as a column-major product reads it: its contiguous rows are columns there.
std::optional<Stored> transposed_view(const StridedMatrix& x) {
  if (x.column_stride == 1) {
    return Stored{{x.columns, x.rows, std::max(x.row_stride, x.columns)}, false};
  }
  if (x.row_stride == 1) {
    return Stored{{x.rows, x.columns, std::max(x.column_stride, x.rows)}, true};
  }
  return std::nullopt;
}

}  // namespace

std::optional<Gemm> gemm_of(const StridedMatrix& left, const StridedMatrix& right) {
  const std::optional<Stored> a = transposed_view(right), b = transposed_view(left);
  const bool empty = left.rows == 0 || left.columns == 0 || right.columns == 0;
  if (!a || !b || empty) return std::nullopt;
  Gemm gemm;
  gemm.a = a->matrix;
  gemm.transpose_a = a->transpose;
  gemm.b = b->matrix;
  gemm.transpose_b = b->transpose;
  gemm.d = {right.columns, left.rows, right.columns};
  return gemm;
}

int fastest_algorithm(const Algorithms& algorithms) {
  constexpr int kRounds = 7;
  std::vector<int> left = {0};
  for (int algorithm = 1; algorithm < algorithms.count; ++algorithm) {
    if (algorithms.same_bits(algorithm)) left.push_back(algorithm);
  }
  if (left.size() == 1) return 0;
  std::vector<std::vector<double>> seconds(left.size());
  for (int round = 0; round < kRounds; ++round) {
    for (size_t i = 0; i < left.size(); ++i) seconds[i].push_back(algorithms.seconds(left[i]));
  }
  size_t best = 0;
  std::vector<double> medians;
  for (const std::vector<double>& of_algorithm : seconds) medians.push_back(median(of_algorithm));
  for (size_t i = 1; i < left.size(); ++i) {
    if (medians[i] < medians[best]) best = i;
  }
  return left[best];
}

}  // namespace fcm::ops
