#include "fcm/heads/simple_pyramid.h"

#include <ATen/ATen.h>

#include "fcm/heads/map_sizes.h"
#include "fcm/ops/gelu/op.h"

namespace fcm::heads {
namespace {

nn::ConvNormAct layer_normed_conv(const nn::Scope& scope, int64_t in, int64_t out, int64_t side) {
  return {scope, scope / "norm",
          nn::ConvNormOptions{.shape = {.in = in, .out = out, .side = side, .padding = side / 2},
                              .start = nn::ConvStart::kFanIn,
                              .norm = {.kind = nn::MapNormOptions::Kind::kLayer},
                              .relu = false}};
}

}  // namespace

SimplePyramid::SimplePyramid(const nn::Scope& scope, const SimplePyramidOptions& options)
    : up1_p2_(scope / "simfp_2" / 0, options.in, options.in / 2),
      norm_p2_(scope / "simfp_2" / 1, options.in / 2, nn::kNormEpsilon),
      up2_p2_(scope / "simfp_2" / 3, options.in / 2, options.in / 4),
      mixed_p2_(layer_normed_conv(scope / "simfp_2" / 4, options.in / 4, options.channels, 1)),
      output_p2_(layer_normed_conv(scope / "simfp_2" / 5, options.channels, options.channels, 3)),
      up_p3_(scope / "simfp_3" / 0, options.in, options.in / 2),
      mixed_p3_(layer_normed_conv(scope / "simfp_3" / 1, options.in / 2, options.channels, 1)),
      output_p3_(layer_normed_conv(scope / "simfp_3" / 2, options.channels, options.channels, 3)),
      mixed_p4_(layer_normed_conv(scope / "simfp_4" / 0, options.in, options.channels, 1)),
      output_p4_(layer_normed_conv(scope / "simfp_4" / 1, options.channels, options.channels, 3)),
      mixed_p5_(layer_normed_conv(scope / "simfp_5" / 1, options.in, options.channels, 1)),
      output_p5_(layer_normed_conv(scope / "simfp_5" / 2, options.channels, options.channels, 3)) {}

std::vector<at::Tensor> SimplePyramid::operator()(const at::Tensor& map_BHWC) const {
  const auto level = [](const nn::ConvNormAct& mixed, const nn::ConvNormAct& output,
                        const at::Tensor& x) {
    return output(mixed(nn::Recomputed(x), nullptr), nullptr).value();
  };
  std::vector<at::Tensor> levels{
      level(mixed_p2_, output_p2_, up2_p2_(ops::gelu(norm_p2_(up1_p2_(map_BHWC))))),
      level(mixed_p3_, output_p3_, up_p3_(map_BHWC)), level(mixed_p4_, output_p4_, map_BHWC),
      level(mixed_p5_, output_p5_, halved_by_maximum(map_BHWC))};
  levels.push_back(every_second(levels.back()));
  return levels;
}

}  // namespace fcm::heads
