#include "fcm/ops/nms/op.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/ops/cuda/place.h"
#include "fcm/ops/nms/cuda.h"
#include "fcm/ops/nms/kernel.h"
#include "fcm/ops/profile_scope.h"
#include "fcm/ops/reference_ops.h"
#include "fcm/ops/simd/dispatch.h"
#include "fcm/ops/with_isa.h"

namespace fcm::ops {
namespace {

void check_nms(const at::Tensor& boxes_N4, const at::Tensor& scores_N, const at::Tensor& groups_N,
               double threshold) {
  const auto type = boxes_N4.scalar_type();
  require(
      (type == at::kFloat || type == at::kDouble) && boxes_N4.dim() == 2 && boxes_N4.size(1) == 4,
      "nms: expected boxes [N, 4] of float32 or float64, got {} dimensions of {}", boxes_N4.dim(),
      at::toString(type));
  require(
      scores_N.dim() == 1 && scores_N.size(0) == boxes_N4.size(0) && scores_N.is_floating_point(),
      "nms: expected a floating-point score for each of {} boxes, got {} scores of {}",
      boxes_N4.size(0), scores_N.numel(), at::toString(scores_N.scalar_type()));
  require(!groups_N.defined() || (groups_N.dim() == 1 && groups_N.size(0) == boxes_N4.size(0) &&
                                  groups_N.scalar_type() == at::kLong),
          "nms: expected an int64 group for each of {} boxes", boxes_N4.size(0));
  require(threshold >= 0, "nms: expected a threshold of 0 or more, got {}", threshold);
}

// The boxes sorted by group, and by descending score within a group.
struct GroupedBoxes {
  at::Tensor by_score_N;  // int64: box index of each rank
  at::Tensor by_group_N;  // int64: rank of each position in the groups; undefined: one group
  at::Tensor planes_5N;   // x0, y0, x1, y1, area
  at::Tensor starts_G1;   // int64: offset of each group, and the end
};

at::Tensor starts_of_groups(const at::Tensor& groups_N) {
  const at::Tensor counts_G = std::get<2>(at::unique_consecutive(groups_N, false, true));
  return at::cat({at::zeros({1}, counts_G.options()), counts_G.cumsum(0)});
}

GroupedBoxes grouped(const at::Tensor& boxes_N4, const at::Tensor& scores_N,
                     const at::Tensor& groups_N) {
  GroupedBoxes result;
  result.by_score_N = scores_N.argsort(/*stable=*/true, /*dim=*/0, /*descending=*/true);
  at::Tensor order_N = result.by_score_N;
  if (groups_N.defined()) {
    const at::Tensor ranked_N = groups_N.index_select(0, result.by_score_N);
    result.by_group_N = ranked_N.argsort(/*stable=*/true, /*dim=*/0, /*descending=*/false);
    order_N = order_N.index_select(0, result.by_group_N);
    result.starts_G1 = starts_of_groups(ranked_N.index_select(0, result.by_group_N));
  } else {
    result.starts_G1 = at::arange(0, boxes_N4.size(0) + 1, boxes_N4.size(0), order_N.options());
  }
  const at::Tensor boxes_4N = boxes_N4.index_select(0, order_N).t();
  const at::Tensor area_1N = (boxes_4N.narrow(0, 2, 1) - boxes_4N.narrow(0, 0, 1)) *
                             (boxes_4N.narrow(0, 3, 1) - boxes_4N.narrow(0, 1, 1));
  result.planes_5N = at::cat({boxes_4N, area_1N});
  return result;
}

// The largest A that is not above `threshold`. A ratio of type A exceeds either both or neither.
template <class A>
A not_above(double threshold) {
  const auto nearest = static_cast<A>(threshold);
  return nearest > threshold ? std::nextafter(nearest, A{0}) : nearest;
}

template <class A>
void keep_on_cpu(void (*kernel)(const NmsGroup<A>&), const GroupedBoxes& boxes, double threshold,
                 const at::Tensor& keep_N) {
  const int64_t groups = boxes.starts_G1.size(0) - 1, count = keep_N.size(0);
  const int64_t* starts = boxes.starts_G1.const_data_ptr<int64_t>();
  const int64_t kept_plane = count + groups * kMostNmsLanes;
  const at::Tensor kept_5K = at::zeros({5, kept_plane}, boxes.planes_5N.options());
  const A* planes = boxes.planes_5N.const_data_ptr<A>();
  A* kept = kept_5K.mutable_data_ptr<A>();
  auto* keep = keep_N.mutable_data_ptr<uint8_t>();
  at::parallel_for(0, groups, 1, [&](int64_t first, int64_t last) {
    for (int64_t group = first; group < last; ++group) {
      NmsGroup<A> one{};
      one.boxes = planes;
      one.plane = count;
      one.begin = starts[group];
      one.end = starts[group + 1];
      one.threshold = not_above<A>(threshold);
      one.kept = kept + one.begin + group * kMostNmsLanes;
      one.kept_plane = kept_plane;
      one.keep = keep;
      kernel(one);
    }
  });
}

template <class A>
void keep_on_gpu(const GroupedBoxes& boxes, double threshold, const at::Tensor& keep_N) {
  const at::Tensor kept_5N = at::empty_like(boxes.planes_5N);
  NmsCuda<A> all{};
  all.boxes = boxes.planes_5N.const_data_ptr<A>();
  all.plane = keep_N.size(0);
  all.starts = boxes.starts_G1.const_data_ptr<int64_t>();
  all.groups = boxes.starts_G1.size(0) - 1;
  all.threshold = not_above<A>(threshold);
  all.kept = kept_5N.mutable_data_ptr<A>();
  all.keep = keep_N.mutable_data_ptr<uint8_t>();
  nms_cuda(all, cuda_stream_for(keep_N));
}

}  // namespace

at::Tensor nms_with(Isa isa, const at::Tensor& boxes_N4, const at::Tensor& scores_N,
                    const at::Tensor& groups_N, double threshold) {
  check_nms(boxes_N4, scores_N, groups_N, threshold);
  const at::NoGradGuard no_grad;
  const bool gpu = on_cuda(boxes_N4, {scores_N, groups_N});
  if (boxes_N4.size(0) == 0) return at::empty({0}, boxes_N4.options().dtype(at::kLong));
  const ProfileScope timed("nms", 0, 5.0 * static_cast<double>(boxes_N4.nbytes()) / 4);
  const GroupedBoxes boxes = grouped(boxes_N4, scores_N, groups_N);
  at::Tensor keep_N = at::empty({boxes_N4.size(0)}, boxes_N4.options().dtype(at::kByte));
  const bool is_float = boxes_N4.scalar_type() == at::kFloat;
  if (gpu) {
    (is_float ? keep_on_gpu<float> : keep_on_gpu<double>)(boxes, threshold, keep_N);
  } else {
    const NmsKernels& kernels = pick(isa, nms_plain, nms_avx2, nms_avx512);
    if (is_float) {
      keep_on_cpu(kernels.keep_float, boxes, threshold, keep_N);
    } else {
      keep_on_cpu(kernels.keep_double, boxes, threshold, keep_N);
    }
  }
  if (boxes.by_group_N.defined()) {
    keep_N = at::empty_like(keep_N).index_copy_(0, boxes.by_group_N, keep_N);
  }
  return boxes.by_score_N.masked_select(keep_N.to(at::kBool));
}

at::Tensor nms(const at::Tensor& boxes_N4, const at::Tensor& scores_N, const at::Tensor& groups_N,
               double threshold) {
  check_nms(boxes_N4, scores_N, groups_N, threshold);
  if (reference_ops()) return nms_reference(boxes_N4, scores_N, groups_N, threshold);
  return nms_with(isa(), boxes_N4, scores_N, groups_N, threshold);
}

}  // namespace fcm::ops
