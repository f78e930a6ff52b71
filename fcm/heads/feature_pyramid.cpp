#include "fcm/heads/feature_pyramid.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "fcm/base/error.h"
#include "fcm/heads/map_sizes.h"

namespace fcm::heads {
namespace {

nn::ConvNormAct pyramid_conv(const nn::Scope& scope, int64_t in, int64_t side,
                             const FeaturePyramidOptions& options) {
  return {scope, scope / "norm",
          nn::ConvNormOptions{
              .shape = {.in = in, .out = options.channels, .side = side, .padding = side / 2},
              .start = nn::ConvStart::kCaffe2Xavier,
              .norm = options.norm,
              .relu = false}};
}

// A lateral map plus the upsampled coarser level, recomputed in the next convolution's backward.
nn::Recomputed plus_level(const nn::Recomputed& lateral, const at::Tensor& coarser_BhwC) {
  std::vector<at::Tensor> from = lateral.from;
  from.push_back(coarser_BhwC);
  return {std::move(from), [make = lateral.make](const std::vector<at::Tensor>& sources) {
            const std::vector<at::Tensor> own(sources.begin(), sources.end() - 1);
            return plus_upsampled(make(own), sources.back());
          }};
}

}  // namespace

FeaturePyramid::FeaturePyramid(const nn::Scope& scope, const FeaturePyramidOptions& options)
    : options_(options) {
  for (size_t i = 0; i < options.in.size(); ++i) {
    laterals_.push_back(
        pyramid_conv(scope / fmt::format("fpn_lateral{}", i + 2), options.in[i], 1, options));
    outputs_.push_back(
        pyramid_conv(scope / fmt::format("fpn_output{}", i + 2), options.channels, 3, options));
  }
}

std::vector<at::Tensor> FeaturePyramid::operator()(const std::vector<at::Tensor>& maps_BHWC,
                                                   const nn::Ranks& ranks) const {
  require(maps_BHWC.size() == laterals_.size(), "FeaturePyramid: got {} maps, expected {}",
          maps_BHWC.size(), laterals_.size());
  std::vector<at::Tensor> levels(maps_BHWC.size());
  at::Tensor coarser_BhwC;
  for (size_t i = maps_BHWC.size(); i-- > 0;) {
    const nn::ConvNormAct& lateral = laterals_[i];
    nn::Recomputed merged = lateral.deferred(lateral.conv()(maps_BHWC[i]), ranks);
    if (coarser_BhwC.defined()) merged = plus_level(merged, coarser_BhwC);
    // The next finer level reads this sum too. Only the output convolution reads the finest sum,
    // which is therefore not stored.
    if (i > 0) {
      coarser_BhwC = merged.value();
      merged = nn::Recomputed(coarser_BhwC);
    }
    levels[i] = outputs_[i](merged, ranks).value();
  }
  levels.push_back(every_second(levels.back()));
  return levels;
}

}  // namespace fcm::heads
