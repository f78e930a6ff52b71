#include "fcm/heads/fourth_map.h"

#include "fcm/ops/gelu/op.h"

namespace fcm::heads {

FourthMap::FourthMap(const nn::Scope& scope, int64_t channels)
    : conv_(scope / "fpn" / 0,
            {.in = channels, .out = channels, .stride = 2, .padding = 0, .bias = true}),
      norm_(scope / "fpn" / 1, channels) {}

at::Tensor FourthMap::operator()(const at::Tensor& map_BHWC, const nn::Ranks& ranks) const {
  return ops::gelu(norm_(conv_(map_BHWC), ranks));
}

}  // namespace fcm::heads
