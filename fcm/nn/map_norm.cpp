#include "fcm/nn/map_norm.h"

#include <ATen/ATen.h>

#include "fcm/ops/branches/op.h"
#include "fcm/ops/layer_norm/op.h"

namespace fcm::nn {
namespace {

std::variant<BatchNorm, LayerNorm> norm_of(const Scope& scope, int64_t channels,
                                           const MapNormOptions& options) {
  if (options.kind == MapNormOptions::Kind::kLayer) {
    return LayerNorm(scope, channels, kNormEpsilon);
  }
  BatchNormOptions batch;
  batch.over_ranks = options.over_ranks;
  return BatchNorm(scope, channels, batch);
}

Recomputed batch_normed(const BatchNorm& norm, const at::Tensor& x, const Ranks& ranks, bool relu) {
  const Moments moments = norm.moments(x, ranks);
  if (!ranks && !at::GradMode::is_enabled()) {
    return Recomputed(normalised_in_place(x, norm.weight(), norm.bias(), moments, relu));
  }
  return {{x, norm.weight(), norm.bias()}, [moments, relu](const std::vector<at::Tensor>& from) {
            return normalised(from[0], from[1], from[2], moments, relu);
          }};
}

Recomputed layer_normed(const LayerNorm& norm, const at::Tensor& x, bool relu) {
  const ops::NormWeights weights = norm.weights();
  return {{x, weights.weight_C, weights.bias_C},
          [epsilon = weights.epsilon, relu](const std::vector<at::Tensor>& from) {
            const at::Tensor y = ops::layer_norm(from[0], from[1], from[2], epsilon);
            return relu ? at::relu(y) : y;
          }};
}

}  // namespace

MapNorm::MapNorm(const Scope& scope, int64_t channels, const MapNormOptions& options)
    : norm_(norm_of(scope, channels, options)) {}

Recomputed MapNorm::operator()(const at::Tensor& x, const Ranks& ranks, bool relu) const {
  if (const auto* batch = std::get_if<BatchNorm>(&norm_)) {
    return batch_normed(*batch, x, ranks, relu);
  }
  return layer_normed(std::get<LayerNorm>(norm_), x, relu);
}

}  // namespace fcm::nn
