#include "fcm/heads/vit_adaptor.h"

#include <ATen/ATen.h>

#include "fcm/base/error.h"
#include "fcm/heads/map_sizes.h"
#include "fcm/ops/gelu/op.h"

namespace fcm::heads {
namespace {

constexpr int64_t kGroups = 32;
constexpr double kGroupEpsilon = 1e-5;

// Group normalisation of each image and channel group over all positions, computed in the wider of
// the input's and the weights' dtypes.
at::Tensor group_normed(const at::Tensor& map_BHWC, const at::Tensor& weight_C,
                        const at::Tensor& bias_C) {
  const auto type = at::promote_types(map_BHWC.scalar_type(), weight_C.scalar_type());
  return at::group_norm(map_BHWC.to(type).permute({0, 3, 1, 2}), kGroups, weight_C, bias_C,
                        kGroupEpsilon)
      .permute({0, 2, 3, 1})
      .to(map_BHWC.scalar_type())
      .contiguous();
}

}  // namespace

VitAdaptor::VitAdaptor(const nn::Scope& scope, int64_t channels)
    : first_(scope / "ms_adaptor" / 0 / 0, channels, channels, nn::ConvStart::kLecunTruncated),
      norm_weight_C_((scope / "ms_adaptor" / 0 / 1).add("weight", {channels}, nn::Init::kOnes)),
      norm_bias_C_((scope / "ms_adaptor" / 0 / 1).add("bias", {channels}, nn::Init::kZeros)),
      second_(scope / "ms_adaptor" / 0 / 3, channels, channels, nn::ConvStart::kLecunTruncated),
      only_(scope / "ms_adaptor" / 1, channels, channels, nn::ConvStart::kLecunTruncated) {}

std::vector<at::Tensor> VitAdaptor::operator()(const std::vector<at::Tensor>& maps_BHWC) const {
  require(maps_BHWC.size() == 4, "VitAdaptor: got {} maps, expected 4", maps_BHWC.size());
  const at::Tensor normed = group_normed(first_(maps_BHWC[0]), norm_weight_C_, norm_bias_C_);
  return {second_(ops::gelu(normed)), only_(maps_BHWC[1]), maps_BHWC[2],
          halved_by_maximum(maps_BHWC[3])};
}

}  // namespace fcm::heads
