// Calls the GPU kernels. The boxes are sorted on the GPU too, so there is no sync.
#include <ATen/ATen.h>

#include "fcm/base/error.h"
#include "fcm/ops/cuda/place.h"
#include "fcm/ops/profile_scope.h"
#include "fcm/ops/roi_align/cuda.h"
#include "fcm/ops/roi_align/passes.h"

namespace fcm::ops {
namespace {

template <class A>
RoisCuda<A> rois_on_gpu(const Rois& rois, int64_t channels) {
  return {rois.count(),
          rois.bins,
          channels,
          rois.boxes_R4.const_data_ptr<A>(),
          rois.image_R.const_data_ptr<int64_t>(),
          rois.level_R.const_data_ptr<int64_t>()};
}

template <class T, class A>
void forward_on_gpu(const std::vector<at::Tensor>& maps_BHWC, const Rois& rois,
                    const at::Tensor& out_RPPC) {
  RoiForwardCuda<T, A> all{};
  all.rois = rois_on_gpu<A>(rois, out_RPPC.size(3));
  for (size_t level = 0; level < maps_BHWC.size(); ++level) {
    const at::Tensor& map = maps_BHWC[level];
    all.maps[level] = {static_cast<const T*>(map.const_data_ptr()), map.size(1), map.size(2),
                       rois.scales[level]};
  }
  all.out = static_cast<T*>(out_RPPC.mutable_data_ptr());
  roi_align_cuda(all, cuda_stream_for(out_RPPC));
}

// The boxes sorted by map and image, and the offset of each (map, image) among them.
struct RoiOrder {
  at::Tensor order_R;   // int64
  at::Tensor starts_K;  // int64, [levels * images + 1]
};

RoiOrder order_of_rois(const Rois& rois, const RoiMaps& maps) {
  const at::Tensor key_R = rois.level_R * maps.images + rois.image_R;
  const at::Tensor order_R = key_R.argsort(/*stable=*/true, /*dim=*/0, /*descending=*/false);
  const at::Tensor every_K = at::arange(maps.levels() * maps.images + 1, key_R.options());
  return {order_R, at::searchsorted(key_R.index_select(0, order_R), every_K)};
}

template <class T, class A>
void backward_on_gpu(const at::Tensor& dout_RPPC, const Rois& rois, const RoiMaps& maps,
                     const std::vector<at::Tensor>& dmaps_BHWC) {
  const RoiOrder order = order_of_rois(rois, maps);
  for (size_t level = 0; level < dmaps_BHWC.size(); ++level) {
    RoiBackwardCuda<T, A> one{};
    one.rois = rois_on_gpu<A>(rois, maps.channels);
    one.map = {static_cast<T*>(dmaps_BHWC[level].mutable_data_ptr()), maps.sides[level][0],
               maps.sides[level][1], rois.scales[level]};
    one.images = maps.images;
    one.order = order.order_R.const_data_ptr<int64_t>();
    one.starts =
        order.starts_K.const_data_ptr<int64_t>() + static_cast<int64_t>(level) * maps.images;
    one.dout = static_cast<const T*>(dout_RPPC.const_data_ptr());
    roi_align_cuda(one, cuda_stream_for(dout_RPPC));
  }
}

}  // namespace

at::Tensor roi_align_forward_on_gpu(const std::vector<at::Tensor>& maps_BHWC, const Rois& rois) {
  const at::Tensor& first = maps_BHWC[0];
  at::Tensor out_RPPC =
      at::empty({rois.count(), rois.bins, rois.bins, first.size(3)}, first.options());
  if (out_RPPC.numel() == 0) return out_RPPC;
  const ProfileScope timed("roi_align", 0, static_cast<double>(out_RPPC.nbytes()) * 5);
  const auto type = first.scalar_type();
  (type == at::kFloat      ? forward_on_gpu<float, float>
   : type == at::kBFloat16 ? forward_on_gpu<Bfloat16, float>
                           : forward_on_gpu<double, double>)(maps_BHWC, rois, out_RPPC);
  return out_RPPC;
}

std::vector<at::Tensor> roi_align_backward_on_gpu(const at::Tensor& dout_RPPC, const Rois& rois,
                                                  const RoiMaps& maps) {
  std::vector<at::Tensor> dmaps_BHWC;
  for (const auto& [rows, cols] : maps.sides) {
    dmaps_BHWC.push_back(at::empty({maps.images, rows, cols, maps.channels}, dout_RPPC.options()));
  }
  if (dout_RPPC.numel() == 0) {
    for (const at::Tensor& map : dmaps_BHWC) map.zero_();
    return dmaps_BHWC;
  }
  const ProfileScope timed("roi_align gradient", 0, static_cast<double>(dout_RPPC.nbytes()) * 9);
  (maps.type == at::kFloat ? backward_on_gpu<float, float>
   : maps.type == at::kBFloat16
       ? backward_on_gpu<Bfloat16, float>
       : backward_on_gpu<double, double>)(dout_RPPC, rois, maps, dmaps_BHWC);
  return dmaps_BHWC;
}

}  // namespace fcm::ops
