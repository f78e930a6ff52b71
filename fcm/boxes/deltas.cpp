#include "fcm/boxes/deltas.h"

#include <ATen/ATen.h>

#include <cmath>

#include "fcm/base/error.h"

namespace fcm::boxes {
namespace {

// Centres and sizes, [N, 1] each, so that they broadcast against [N, K].
struct Centred {
  at::Tensor x, y, width, height;

  explicit Centred(const at::Tensor& boxes_N4) {
    const auto edge = [&](int64_t side) { return boxes_N4.narrow(1, side, 1); };
    width = edge(2) - edge(0);
    height = edge(3) - edge(1);
    x = edge(0) + width * 0.5;
    y = edge(1) + height * 0.5;
  }
};

}  // namespace

at::Tensor encode(const at::Tensor& sources_N4, const at::Tensor& targets_N4,
                  const DeltaWeights& weights) {
  require(sources_N4.sizes() == targets_N4.sizes() && sources_N4.size(-1) == 4,
          "encode: expected sources and targets of one shape N x 4, got {} and {} elements",
          sources_N4.numel(), targets_N4.numel());
  const Centred source(sources_N4), target(targets_N4);
  return at::cat({(target.x - source.x) * weights.x / source.width,
                  (target.y - source.y) * weights.y / source.height,
                  (target.width / source.width).log() * weights.width,
                  (target.height / source.height).log() * weights.height},
                 1);
}

at::Tensor decode(const at::Tensor& deltas_ND, const at::Tensor& sources_N4,
                  const DeltaWeights& weights) {
  require(deltas_ND.dim() == 2 && deltas_ND.size(1) % 4 == 0 &&
              deltas_ND.size(0) == sources_N4.size(0) && sources_N4.size(1) == 4,
          "decode: expected N x 4 K deltas and N x 4 sources, got {} x {} deltas and {} sources",
          deltas_ND.size(0), deltas_ND.size(-1), sources_N4.size(0));
  const double largest = std::log(1000.0 / 16);
  const auto type = at::promote_types(
      at::promote_types(deltas_ND.scalar_type(), sources_N4.scalar_type()), at::kFloat);
  const Centred source(sources_N4.to(type));
  const at::Tensor deltas_NK4 =
      deltas_ND.to(type).reshape({deltas_ND.size(0), deltas_ND.size(1) / 4, 4});
  const auto delta = [&](int64_t which, double weight) {
    return deltas_NK4.select(2, which) / weight;
  };
  const at::Tensor x = delta(0, weights.x) * source.width + source.x;
  const at::Tensor y = delta(1, weights.y) * source.height + source.y;
  const at::Tensor half_width =
      delta(2, weights.width).clamp_max(largest).exp() * source.width * 0.5;
  const at::Tensor half_height =
      delta(3, weights.height).clamp_max(largest).exp() * source.height * 0.5;
  return at::stack({x - half_width, y - half_height, x + half_width, y + half_height}, 2)
      .view(deltas_ND.sizes());
}

at::Tensor clipped(const at::Tensor& boxes, int64_t rows, int64_t columns) {
  const auto edge = [&](int64_t side, int64_t most) {
    return boxes.select(-1, side).clamp(0, most);
  };
  return at::stack({edge(0, columns), edge(1, rows), edge(2, columns), edge(3, rows)}, -1);
}

}  // namespace fcm::boxes
