#include "fcm/heads/rpn.h"

#include <ATen/ATen.h>

#include "fcm/ops/linear/op.h"

namespace fcm::heads {
namespace {

nn::Conv rpn_conv(const nn::Scope& scope, int64_t channels) {
  return {scope, {.in = channels, .out = channels, .bias = true}, nn::ConvStart::kNormal01};
}

// A 1 x 1 convolution, stored as a matrix.
at::Tensor rpn_weight(const nn::Scope& scope, int64_t out, int64_t channels) {
  return nn::add_weight(scope, {out, channels, 1, 1}, nn::ConvStart::kNormal01,
                        {nn::Layout::Kind::kMergeCells, {0}});
}

at::Tensor rpn_bias(const nn::Scope& scope, int64_t out) {
  return scope.add("bias", {out}, nn::Init::kZeros);
}

}  // namespace

RpnHead::RpnHead(const nn::Scope& scope, const RpnOptions& options)
    : options_(options),
      conv0_(rpn_conv(scope / "conv" / "conv0", options.channels)),
      conv1_(rpn_conv(scope / "conv" / "conv1", options.channels)),
      logits_weight_AC_(rpn_weight(scope / "objectness_logits", options.anchors, options.channels)),
      logits_bias_A_(rpn_bias(scope / "objectness_logits", options.anchors)),
      deltas_weight_DC_(rpn_weight(scope / "anchor_deltas", 4 * options.anchors, options.channels)),
      deltas_bias_D_(rpn_bias(scope / "anchor_deltas", 4 * options.anchors)) {}

AnchorPredictions RpnHead::operator()(const at::Tensor& map_BHWC) const {
  const int64_t batch = map_BHWC.size(0), anchors = options_.anchors,
                all = map_BHWC.size(1) * map_BHWC.size(2) * anchors;
  // ReLU in place, because backward does not need the convolutions' outputs before the ReLU.
  const at::Tensor mixed = conv1_(conv0_(map_BHWC).relu_()).relu_();
  // Logits and deltas as one product, which reads the map once.
  const at::Tensor both = ops::linear(mixed, at::cat({logits_weight_AC_, deltas_weight_DC_}),
                                      at::cat({logits_bias_A_, deltas_bias_D_}));
  const at::Tensor wide = both.to(at::promote_types(both.scalar_type(), at::kFloat));
  return {wide.narrow(3, 0, anchors).reshape({batch, all}),
          wide.narrow(3, anchors, 4 * anchors).reshape({batch, all, 4})};
}

std::vector<AnchorPredictions> RpnHead::operator()(const std::vector<at::Tensor>& maps_BHWC) const {
  std::vector<AnchorPredictions> levels;
  for (const at::Tensor& map : maps_BHWC) levels.push_back((*this)(map));
  return levels;
}

AnchorPredictions of_all_levels(const std::vector<AnchorPredictions>& levels) {
  std::vector<at::Tensor> logits, deltas;
  for (const AnchorPredictions& level : levels) {
    logits.push_back(level.logits_BA);
    deltas.push_back(level.deltas_BA4);
  }
  return {at::cat(logits, 1), at::cat(deltas, 1)};
}

}  // namespace fcm::heads
