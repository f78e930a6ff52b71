#include "fcm/heads/region_convs.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

namespace fcm::heads {

RegionConvs::RegionConvs(const nn::Scope& scope, std::string_view stem, int64_t channels,
                         const nn::MapNormOptions& norm) {
  for (int number = 1; number <= 4; ++number) {
    const nn::Scope own = scope / fmt::format("{}{}", stem, number);
    convs_.emplace_back(own, own / "norm",
                        nn::ConvNormOptions{.shape = {.in = channels, .out = channels},
                                            .start = nn::ConvStart::kFanOut,
                                            .norm = norm,
                                            .relu = true});
  }
}

at::Tensor RegionConvs::operator()(const at::Tensor& pooled_RPPC, const nn::Ranks& ranks) const {
  nn::Recomputed x(pooled_RPPC);
  for (const nn::ConvNormAct& conv : convs_) x = conv(x, ranks);
  return x.value();
}

}  // namespace fcm::heads
