#include "fcm/boxes/overlap.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "fcm/base/error.h"

namespace fcm::boxes {
namespace {

constexpr int64_t kPairsAtOnce = int64_t{1} << 20;

// Overlaps of a few truths, [R, 4], with all boxes, whose coordinates are [4, N].
at::Tensor overlaps_of(const at::Tensor& truths_R4, const at::Tensor& edges_4N,
                       const at::Tensor& areas_N) {
  const auto along = [&](int64_t axis) {
    const auto truth = [&](int64_t side) { return truths_R4.select(1, side).unsqueeze(1); };
    return at::minimum(truth(axis + 2), edges_4N[axis + 2])
        .sub_(at::maximum(truth(axis), edges_4N[axis]))
        .clamp_min_(0);
  };
  const at::Tensor shared_RN = along(0).mul_(along(1));
  const at::Tensor united_RN = (areas(truths_R4).unsqueeze(1) + areas_N).sub_(shared_RN);
  return at::where(shared_RN > 0, shared_RN / united_RN, at::zeros({}, shared_RN.options()));
}

}  // namespace

at::Tensor areas(const at::Tensor& boxes_N4) {
  return (boxes_N4.select(1, 2) - boxes_N4.select(1, 0)) *
         (boxes_N4.select(1, 3) - boxes_N4.select(1, 1));
}

at::Tensor overlaps(const at::Tensor& truths_T4, const at::Tensor& boxes_N4) {
  require(truths_T4.size(-1) == 4 && boxes_N4.size(-1) == 4,
          "overlaps: expected boxes of 4 values, got {} and {}", truths_T4.size(-1),
          boxes_N4.size(-1));
  const at::NoGradGuard no_grad;
  const int64_t truths = truths_T4.size(0), boxes = boxes_N4.size(0);
  const at::Tensor all_TN = at::empty({truths, boxes}, boxes_N4.options());
  const at::Tensor edges_4N = boxes_N4.t().contiguous(), areas_N = areas(boxes_N4);
  const int64_t at_once = std::max<int64_t>(1, kPairsAtOnce / std::max<int64_t>(1, boxes));
  for (int64_t first = 0; first < truths; first += at_once) {
    const int64_t rows = std::min(at_once, truths - first);
    all_TN.narrow(0, first, rows)
        .copy_(overlaps_of(truths_T4.narrow(0, first, rows), edges_4N, areas_N));
  }
  return all_TN;
}

}  // namespace fcm::boxes
