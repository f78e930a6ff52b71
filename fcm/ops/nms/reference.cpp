#include <ATen/ATen.h>

#include <vector>

#include "fcm/ops/nms/op.h"

namespace fcm::ops {

at::Tensor nms_reference(const at::Tensor& boxes_N4, const at::Tensor& scores_N,
                         const at::Tensor& groups_N, double threshold) {
  const at::NoGradGuard no_grad;
  const at::Tensor order_N = scores_N.argsort(/*stable=*/true, /*dim=*/0, /*descending=*/true);
  const at::Tensor boxes = boxes_N4.index_select(0, order_N);
  const at::Tensor groups =
      groups_N.defined() ? groups_N.index_select(0, order_N) : at::zeros_like(order_N);
  const at::Tensor first_N2 = boxes.narrow(1, 0, 2), last_N2 = boxes.narrow(1, 2, 2);
  const at::Tensor area_N = (last_N2 - first_N2).prod(1);
  at::Tensor gone_N = at::zeros_like(order_N, at::kBool);
  std::vector<int64_t> ranks;
  for (int64_t i = 0; i < order_N.size(0); ++i) {
    if (gone_N[i].item<bool>()) continue;
    ranks.push_back(i);
    const at::Tensor sides_N2 =
        (at::minimum(last_N2, last_N2[i]) - at::maximum(first_N2, first_N2[i])).clamp_min(0);
    const at::Tensor shared_N = sides_N2.prod(1);
    const at::Tensor ratio_N = shared_N / (area_N[i] + area_N - shared_N);
    gone_N.logical_or_((ratio_N.to(at::kDouble) > threshold).logical_and_(groups == groups[i]));
  }
  return order_N.index_select(0, at::tensor(ranks, at::kLong).to(order_N.device()));
}

}  // namespace fcm::ops
