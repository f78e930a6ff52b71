#include "fcm/heads/mask_head.h"

#include <ATen/ATen.h>

#include "fcm/base/error.h"
#include "fcm/ops/linear/op.h"

namespace fcm::heads {
namespace {

at::Tensor wide_logits(const at::Tensor& logits) {
  return logits.to(at::promote_types(logits.scalar_type(), at::kFloat));
}

}  // namespace

MaskHead::MaskHead(const nn::Scope& scope, const MaskHeadOptions& options)
    : options_(options),
      convs_(scope, "mask_fcn", options.channels, options.norm),
      deconv_(scope / "deconv", options.channels, options.channels, nn::ConvStart::kFanOut),
      weight_KC_(nn::add_weight(scope / "predictor", {options.classes, options.channels, 1, 1},
                                nn::ConvStart::kNormal001, {nn::Layout::Kind::kMergeCells, {0}})),
      bias_K_((scope / "predictor").add("bias", {options.classes}, nn::Init::kZeros)) {}

at::Tensor MaskHead::hidden(const at::Tensor& pooled_RPPC, const nn::Ranks& ranks) const {
  return at::relu(deconv_.cells(convs_(pooled_RPPC, ranks)));
}

at::Tensor MaskHead::operator()(const at::Tensor& pooled_RPPC, const at::Tensor& classes_R,
                                const nn::Ranks& ranks) const {
  const int64_t regions = pooled_RPPC.size(0), side = pooled_RPPC.size(1);
  require(classes_R.dim() == 1 && classes_R.size(0) == regions,
          "MaskHead: expected one class per region, got {} regions, {} classes", regions,
          classes_R.numel());
  const at::Tensor cells = hidden(pooled_RPPC, ranks);
  // One row of the weight per region: each map is read once for a single output channel.
  const at::Tensor own_RC1 = weight_KC_.index_select(0, classes_R).unsqueeze(2);
  const at::Tensor own_R1 = bias_K_.index_select(0, classes_R).unsqueeze(1);
  const at::Tensor products = at::bmm(cells.view({regions, 4 * side * side, options_.channels}),
                                      own_RC1.to(cells.scalar_type()))
                                  .squeeze(2);
  const at::Tensor logits = wide_logits(products) + own_R1;
  return map_of_cells(logits.view({regions, side, side, 4}));
}

at::Tensor MaskHead::of_all_classes(const at::Tensor& pooled_RPPC, const nn::Ranks& ranks) const {
  return map_of_cells(wide_logits(ops::linear(hidden(pooled_RPPC, ranks), weight_KC_, bias_K_)));
}

}  // namespace fcm::heads
