#include "fcm/nn/positions.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "fcm/base/error.h"

namespace fcm::nn {

namespace {

at::Tensor resize_map(const at::Tensor& map_1CHW, int64_t rows, int64_t cols,
                      PositionFilter filter) {
  constexpr double kOffset = 0.1;  // so that dinov2's floor(old * scale) is the new extent
  const std::array size{rows, cols};
  const auto scale = [&](int64_t to, int64_t dimension) {
    return (static_cast<double>(to) + kOffset) / static_cast<double>(map_1CHW.size(dimension));
  };
  switch (filter) {
    case PositionFilter::kAntialias:
      return at::_upsample_bicubic2d_aa(map_1CHW, size, /*align_corners=*/false);
    case PositionFilter::kOffset:
      return at::upsample_bicubic2d(map_1CHW, size, /*align_corners=*/false, scale(rows, 2),
                                    scale(cols, 3));
    case PositionFilter::kBicubic:
      break;
  }
  return at::upsample_bicubic2d(map_1CHW, size, /*align_corners=*/false);
}

}  // namespace

at::Tensor resize_positions(const at::Tensor& positions_1TC, int64_t from_rows, int64_t from_cols,
                            int64_t to_rows, int64_t to_cols, PositionFilter filter) {
  const int64_t patches = from_rows * from_cols;
  require(
      positions_1TC.dim() == 3 && positions_1TC.size(0) == 1 && positions_1TC.size(1) >= patches,
      "resize_positions: got a table of [{}], expected [1, T, C] with {} x {} patches in T",
      fmt::join(positions_1TC.sizes(), ", "), from_rows, from_cols);
  if (from_rows == to_rows && from_cols == to_cols) return positions_1TC;
  const int64_t class_tokens = positions_1TC.size(1) - patches;
  const at::Tensor map_1CHW = positions_1TC.narrow(1, class_tokens, patches)
                                  .transpose(1, 2)
                                  .unflatten(2, {from_rows, from_cols});
  const at::Tensor resized_1LC =
      resize_map(map_1CHW.contiguous(), to_rows, to_cols, filter).flatten(2).transpose(1, 2);
  return at::cat({positions_1TC.narrow(1, 0, class_tokens), resized_1LC}, 1);
}

namespace {

// 1, 1 + q, 1 + q + q^2, ...: distances of the old positions from the middle. Bisection finds the q
// with which the last one is `reach`, as upstream.
std::vector<double> spread(int64_t count, double reach) {
  double low = 1.01, high = 1.5, q = low;
  while (high - low > 1e-6) {
    q = (low + high) / 2;
    const double last = (1 - std::pow(q, static_cast<double>(count))) / (1 - q);
    (last > reach ? high : low) = q;
  }
  std::vector<double> distances;
  double distance = 0;
  for (int64_t i = 0; i < count; ++i) {
    distance += std::pow(q, static_cast<double>(i));
    distances.push_back(distance);
  }
  return distances;
}

// Evaluates at `wanted` the cubic spline through values at `places` (ascending). Returns the
// weights of these values: [wanted, places], float64. Not-a-knot: the third derivative is
// continuous at the second and at the second-last of the places.
at::Tensor spline_weights(const std::vector<double>& places, const std::vector<double>& wanted) {
  const auto n = static_cast<int64_t>(places.size());
  const auto gap = [&](int64_t i) {
    return places[static_cast<size_t>(i + 1)] - places[static_cast<size_t>(i)];
  };
  // Second derivatives m of the values y: left * m = right * y.
  at::Tensor left_nn = at::zeros({n, n}, at::kDouble), right_nn = at::zeros_like(left_nn);
  auto left = left_nn.accessor<double, 2>(), right = right_nn.accessor<double, 2>();
  for (int64_t i = 1; i + 1 < n; ++i) {
    const double before = gap(i - 1), behind = gap(i);
    left[i][i - 1] = before;
    left[i][i] = 2 * (before + behind);
    left[i][i + 1] = behind;
    right[i][i - 1] = 6 / before;
    right[i][i] = -6 / before - 6 / behind;
    right[i][i + 1] = 6 / behind;
  }
  for (const int64_t end : {int64_t{0}, n - 1}) {  // the not-a-knot condition at each end
    const int64_t first = end == 0 ? 0 : n - 3;
    left[end][first] = gap(first + 1);
    left[end][first + 1] = -gap(first) - gap(first + 1);
    left[end][first + 2] = gap(first);
  }
  const at::Tensor second_nn = at::linalg_solve(left_nn, right_nn);
  std::vector<at::Tensor> rows;
  const at::Tensor unit_nn = at::eye(n, at::kDouble);
  for (const double at_place : wanted) {
    const double x = std::clamp(at_place, places.front(), places.back());
    int64_t i = 0;
    while (i + 2 < n && x > places[static_cast<size_t>(i + 1)]) ++i;
    const double h = gap(i), a = (places[static_cast<size_t>(i + 1)] - x) / h, b = 1 - a;
    rows.push_back(unit_nn[i] * a + unit_nn[i + 1] * b +
                   (second_nn[i] * (a * a * a - a) + second_nn[i + 1] * (b * b * b - b)) * h * h /
                       6);
  }
  return at::stack(rows);
}

}  // namespace

at::Tensor resize_relative_table(const at::Tensor& table_RH, int64_t from, int64_t to) {
  const int64_t side = 2 * from - 1;
  require(table_RH.dim() == 2 && table_RH.size(0) == side * side,
          "resize_relative_table: expected (2 * window - 1)^2 rows, got {} for windows of {}",
          table_RH.size(0), from);
  if (from == to) return table_RH;
  require(from >= 2, "resize_relative_table: expected a window of two cells or more");
  const std::vector<double> distances = spread(from - 1, static_cast<double>(to - 1));
  std::vector<double> places(distances.rbegin(), distances.rend()), wanted;
  for (double& place : places) place = -place;
  places.push_back(0);
  places.insert(places.end(), distances.begin(), distances.end());
  for (int64_t i = 1 - to; i < to; ++i) wanted.push_back(static_cast<double>(i));
  const at::Tensor weights_TF = spline_weights(places, wanted);
  const at::Tensor map_HFF = table_RH.to(at::kDouble).t().reshape({-1, side, side});
  return at::matmul(at::matmul(weights_TF, map_HFF), weights_TF.t())
      .flatten(1)
      .t()
      .to(table_RH.scalar_type())
      .contiguous();
}

}  // namespace fcm::nn
