#include "fcm/heads/box_head.h"

#include <ATen/ATen.h>

#include "fcm/nn/conv_start.h"
#include "fcm/ops/linear/op.h"

namespace fcm::heads {
namespace {

// Upstream orders the columns of fc1 by channel, row, column; maps here have their channels last.
nn::Layout channels_last_columns(const BoxHeadOptions& options) {
  const int64_t positions = options.bins * options.bins;
  nn::Layout layout{nn::Layout::Kind::kColumns, {}};
  for (int64_t position = 0; position < positions; ++position) {
    for (int64_t channel = 0; channel < options.channels; ++channel) {
      layout.order.push_back(channel * positions + position);
    }
  }
  return layout;
}

at::Tensor fc1_weight(const nn::Scope& scope, const BoxHeadOptions& options) {
  return nn::add_weight(scope, {options.width, options.bins * options.bins * options.channels},
                        nn::ConvStart::kCaffe2Xavier, channels_last_columns(options));
}

nn::Linear deltas_of_classes(const nn::Scope& scope, const BoxHeadOptions& options) {
  nn::Linear deltas(scope, options.width, 4 * options.classes, nn::Init::kNormal01);
  const at::NoGradGuard no_grad;
  deltas.weights().weight_OI.mul_(0.1);  // std 0.001
  return deltas;
}

at::Tensor at_least_float(const at::Tensor& x) {
  return x.to(at::promote_types(x.scalar_type(), at::kFloat));
}

}  // namespace

BoxHead::BoxHead(const nn::Scope& scope, const BoxHeadOptions& options)
    : options_(options),
      convs_(scope / "box_head", "conv", options.channels, options.norm),
      fc1_weight_(fc1_weight(scope / "box_head" / "fc1", options)),
      fc1_bias_((scope / "box_head" / "fc1").add("bias", {options.width}, nn::Init::kZeros)),
      fc1_rounded_((scope / "box_head" / "fc1").rounded("weight")),
      scores_(scope / "box_predictor" / "cls_score", options.width, options.classes + 1,
              nn::Init::kNormal01),
      deltas_(deltas_of_classes(scope / "box_predictor" / "bbox_pred", options)) {}

BoxPredictions BoxHead::operator()(const at::Tensor& pooled_RPPC, const nn::Ranks& ranks) const {
  const at::Tensor rows =
      convs_(pooled_RPPC, ranks).reshape({pooled_RPPC.size(0), fc1_weight_.size(1)});
  const at::Tensor features = at::relu(ops::linear(rows, fc1_weight_, fc1_bias_, fc1_rounded_));
  return {features, at_least_float(scores_(features)), at_least_float(deltas_(features))};
}

}  // namespace fcm::heads
