#include "fcm/heads/vit_neck.h"

#include <ATen/ATen.h>

#include "fcm/base/error.h"
#include "fcm/ops/gelu/op.h"
#include "fcm/ops/linear/op.h"

namespace fcm::heads {

DoublingConv::DoublingConv(const nn::Scope& scope, int64_t channels)
    : weight_IO22_(scope.add("weight", {channels, channels, 2, 2}, nn::Init::kFanIn)),
      bias_O_(scope.add("bias", {channels}, nn::Init::kFanIn, {}, 4 * channels)) {}

at::Tensor DoublingConv::operator()(const at::Tensor& map_BHWC) const {
  const int64_t batch = map_BHWC.size(0), height = map_BHWC.size(1), width = map_BHWC.size(2),
                out = weight_IO22_.size(1);
  const at::Tensor weight =  // [(row, column, O), I]
      weight_IO22_.permute({2, 3, 1, 0}).reshape({4 * out, weight_IO22_.size(0)});
  return ops::linear(map_BHWC, weight, bias_O_.repeat({4}))
      .view({batch, height, width, 2, 2, out})
      .transpose(2, 3)
      .reshape({batch, 2 * height, 2 * width, out});
}

VitNeck::VitNeck(const nn::Scope& scope, int64_t channels)
    : first_(scope / "upsample_4x" / 0, channels),
      norm_(scope / "upsample_4x" / 1, channels),
      second_(scope / "upsample_4x" / 3, channels),
      only_(scope / "upsample_2x" / 0, channels) {}

std::vector<at::Tensor> VitNeck::operator()(const std::vector<at::Tensor>& maps_BHWC,
                                            const nn::Ranks& ranks) const {
  require(maps_BHWC.size() == 4, "VitNeck: {} maps, wanted 4", maps_BHWC.size());
  const at::Tensor halved = at::max_pool2d(maps_BHWC[3].permute({0, 3, 1, 2}), {2, 2}, {2, 2});
  return {second_(ops::gelu(norm_(first_(maps_BHWC[0]), ranks))), only_(maps_BHWC[1]), maps_BHWC[2],
          halved.permute({0, 2, 3, 1}).contiguous()};
}

}  // namespace fcm::heads
