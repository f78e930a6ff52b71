#include "fcm/ops/nms/op.h"

#include <ATen/ATen.h>

#include <tuple>
#include <vector>

namespace fcm::ops {

at::Tensor nms(const at::Tensor& boxes_N4, const at::Tensor& scores_N, const at::Tensor& groups_N,
               double threshold) {
  const auto order = std::get<1>(scores_N.sort(/*stable=*/true, 0, /*descending=*/true));
  const at::Tensor boxes = boxes_N4.index_select(0, order),
                   groups = groups_N.index_select(0, order);
  const auto edge = [&](int64_t side) { return boxes.select(1, side); };
  const at::Tensor area = (edge(2) - edge(0)) * (edge(3) - edge(1));
  at::Tensor open = at::ones({boxes.size(0)}, at::kBool);
  std::vector<int64_t> kept;
  for (int64_t i = 0; i < boxes.size(0); ++i) {
    if (!open[i].item<bool>()) continue;
    kept.push_back(i);
    const auto along = [&](int64_t axis) {
      return (edge(axis + 2).clamp_max(edge(axis + 2)[i]) - edge(axis).clamp_min(edge(axis)[i]))
          .clamp_min(0);
    };
    const at::Tensor shared = along(0) * along(1);
    const at::Tensor overlap = shared / (area + area[i] - shared);
    open.logical_and_((overlap > threshold).logical_and(groups == groups[i]).logical_not());
  }
  return order.index_select(0, at::tensor(at::ArrayRef<int64_t>(kept), at::kLong));
}

}  // namespace fcm::ops
