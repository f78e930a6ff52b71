#include "fcm/encoder/rotary.h"

#include <ATen/ATen.h>

#include <array>
#include <numbers>

#include "fcm/base/error.h"

namespace fcm::encoder {
namespace {

at::Tensor coordinates(int64_t count) {  // [count], float64
  return (at::arange(count, at::kDouble) + 0.5) * (2 / static_cast<double>(count)) - 1;
}

}  // namespace

Rotation rotation_of(masks::Grid grid, const at::Tensor& order_BL, int64_t head_dim, double base,
                     at::ScalarType compute) {
  require(head_dim % 4 == 0,
          "rotary positions: expected channels per head to be a multiple of 4, got {}", head_dim);
  const int64_t quarter = head_dim / 4;
  const at::Tensor rates_Q =
      at::pow(base, at::arange(quarter, at::kDouble) * (-4 / static_cast<double>(head_dim))) *
      (2 * std::numbers::pi);
  const auto angles = [&](int64_t count) {  // [count, Q]
    return coordinates(count).unsqueeze(1) * rates_Q;
  };
  const std::array cells{grid.rows, grid.cols, quarter};
  const at::Tensor angles_LE = at::cat({angles(grid.rows).unsqueeze(1).expand(cells),
                                        angles(grid.cols).unsqueeze(0).expand(cells)},
                                       2)
                                   .flatten(0, 1);
  const auto of_slots = [&](const at::Tensor& table_LE) {
    return table_LE.to(at::promote_types(compute, at::kFloat))
        .to(order_BL.device())
        .index_select(0, order_BL.reshape({-1}))
        .view({order_BL.size(0), order_BL.size(1), 1, 2 * quarter});
  };
  return {of_slots(angles_LE.cos()), of_slots(angles_LE.sin())};
}

void rotate_patches(const at::Tensor& qkv_BTC, const Rotation& rotation, int64_t heads) {
  const int64_t channels = qkv_BTC.size(2) / 3, patches = rotation.cos_BL1E.size(1);
  // Heads of queries, then heads of keys.
  const at::Tensor halves = qkv_BTC.narrow(2, 0, 2 * channels)
                                .narrow(1, qkv_BTC.size(1) - patches, patches)
                                .unflatten(2, {2 * heads, 2, channels / heads / 2});
  at::Tensor first_BLHE = halves.select(3, 0), second_BLHE = halves.select(3, 1);
  // Multiplying by the float32 table promotes a narrower type, so each result is rounded once.
  const at::Tensor rotated = first_BLHE * rotation.cos_BL1E - second_BLHE * rotation.sin_BL1E;
  second_BLHE.copy_(second_BLHE * rotation.cos_BL1E + first_BLHE * rotation.sin_BL1E);
  first_BLHE.copy_(rotated);
}

}  // namespace fcm::encoder
