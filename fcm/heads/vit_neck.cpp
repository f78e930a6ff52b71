#include "fcm/heads/vit_neck.h"

#include <ATen/ATen.h>

#include "fcm/base/error.h"
#include "fcm/heads/map_sizes.h"
#include "fcm/ops/gelu/op.h"

namespace fcm::heads {

VitNeck::VitNeck(const nn::Scope& scope, int64_t channels)
    : first_(scope / "upsample_4x" / 0, channels, channels),
      norm_(scope / "upsample_4x" / 1, channels),
      second_(scope / "upsample_4x" / 3, channels, channels),
      only_(scope / "upsample_2x" / 0, channels, channels) {}

std::vector<at::Tensor> VitNeck::operator()(const std::vector<at::Tensor>& maps_BHWC,
                                            const nn::Ranks& ranks) const {
  require(maps_BHWC.size() == 4, "VitNeck: got {} maps, expected 4", maps_BHWC.size());
  return {second_(ops::gelu(norm_(first_(maps_BHWC[0]), ranks))), only_(maps_BHWC[1]), maps_BHWC[2],
          halved_by_maximum(maps_BHWC[3])};
}

}  // namespace fcm::heads
