#include "fcm/ops/linear/gemm.h"

#include <algorithm>
#include <vector>

#include "fcm/base/stats.h"

namespace fcm::ops {
namespace {

struct Stored {
  GemmMatrix matrix;
  bool turn;
};

// `x` transposed, as a column-major product reads it: contiguous rows are already columns.
std::optional<Stored> turned(const StridedMatrix& x) {
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
  const std::optional<Stored> a = turned(right), b = turned(left);
  const bool empty = left.rows == 0 || left.columns == 0 || right.columns == 0;
  if (!a || !b || empty) return std::nullopt;
  Gemm gemm;
  gemm.a = a->matrix;
  gemm.turn_a = a->turn;
  gemm.b = b->matrix;
  gemm.turn_b = b->turn;
  gemm.d = {right.columns, left.rows, right.columns};
  return gemm;
}

int quickest_way(const Ways& ways) {
  constexpr int kRounds = 7;
  std::vector<int> left = {0};
  for (int way = 1; way < ways.count; ++way) {
    if (ways.same_bits(way)) left.push_back(way);
  }
  if (left.size() == 1) return 0;
  std::vector<std::vector<double>> seconds(left.size());
  for (int round = 0; round < kRounds; ++round) {
    for (size_t i = 0; i < left.size(); ++i) seconds[i].push_back(ways.seconds(left[i]));
  }
  size_t best = 0;
  std::vector<double> medians;
  for (const std::vector<double>& of_way : seconds) medians.push_back(median(of_way));
  for (size_t i = 1; i < left.size(); ++i) {
    if (medians[i] < medians[best]) best = i;
  }
  return left[best];
}

}  // namespace fcm::ops
