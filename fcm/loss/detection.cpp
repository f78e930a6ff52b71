#include "fcm/loss/detection.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "fcm/base/error.h"
#include "fcm/boxes/deltas.h"

namespace fcm::loss {
namespace {

at::Tensor wide_type(const at::Tensor& x) {
  return x.to(at::promote_types(x.scalar_type(), at::kFloat));
}

// A divisor of 0 means that nothing was sampled. The sum is then 0, and 0 / 1 avoids a NaN.
at::Tensor share(const at::Tensor& sum, double divisor) { return sum / std::max(divisor, 1.0); }

at::Tensor sum_of_cross_entropies(const at::Tensor& logits, const at::Tensor& targets) {
  return at::binary_cross_entropy_with_logits(logits, targets, {}, {}, at::Reduction::Sum);
}

at::Tensor sum_of_differences(const at::Tensor& deltas_N4, const at::Tensor& targets_N4) {
  return (deltas_N4 - targets_N4.to(deltas_N4.scalar_type())).abs().sum();
}

}  // namespace

RpnLosses rpn_losses(const at::Tensor& logits_BA, const at::Tensor& deltas_BA4,
                     const std::vector<AnchorTargets>& targets, double divisor) {
  const int64_t images = logits_BA.size(0), anchors = logits_BA.size(1);
  require(std::ssize(targets) == images && deltas_BA4.size(0) == images &&
              deltas_BA4.size(1) == anchors,
          "rpn_losses: expected equal counts of images and of anchors, got logits of {} images, "
          "deltas of {} and targets of {}",
          images, deltas_BA4.size(0), targets.size());
  std::vector<at::Tensor> positives, negatives, wanted;
  for (int64_t image = 0; image < images; ++image) {
    const AnchorTargets& of = targets[static_cast<size_t>(image)];
    positives.push_back(of.sampled.positive_P + image * anchors);
    negatives.push_back(of.sampled.negative_Q + image * anchors);
    wanted.push_back(of.deltas_P4);
  }
  const at::Tensor positive_P = at::cat(positives), negative_Q = at::cat(negatives);
  const at::Tensor logits =
      wide_type(logits_BA).reshape({-1}).index_select(0, at::cat({positive_P, negative_Q}));
  const at::Tensor labels = at::zeros_like(logits);
  labels.narrow(0, 0, positive_P.size(0)).fill_(1);
  const at::Tensor deltas_P4 = wide_type(deltas_BA4).reshape({-1, 4}).index_select(0, positive_P);
  return {share(sum_of_cross_entropies(logits, labels), divisor),
          share(sum_of_differences(deltas_P4, at::cat(wanted)), divisor)};
}

BoxLosses box_losses(const at::Tensor& scores_RC, const at::Tensor& deltas_RD,
                     const RegionTargets& targets, double divisor) {
  const int64_t regions = scores_RC.size(0), classes = scores_RC.size(1) - 1;
  require(deltas_RD.size(0) == regions && deltas_RD.size(1) == 4 * classes &&
              targets.classes_R.size(0) == regions,
          "box_losses: expected equal counts of regions and 4 deltas per class, got scores of {} "
          "regions and {} classes, {} deltas for {} regions, {} targets",
          regions, classes, deltas_RD.size(1), deltas_RD.size(0), targets.classes_R.size(0));
  const at::Tensor sum =
      at::cross_entropy_loss(wide_type(scores_RC), targets.classes_R, {}, at::Reduction::Sum);
  const at::Tensor foreground_F = targets.classes_R.lt(classes).nonzero().flatten();
  const auto of_foreground = [&](const at::Tensor& values) {
    return values.index_select(0, foreground_F);
  };
  const at::Tensor own_F4 = wide_type(deltas_RD).reshape({-1, 4}).index_select(
      0, foreground_F * classes + of_foreground(targets.classes_R));
  const at::Tensor wanted_F4 = boxes::encode(
      of_foreground(targets.regions_R4), of_foreground(targets.truths_R4), boxes::kRegionDeltas);
  return {share(sum, divisor), share(sum_of_differences(own_F4, wanted_F4), divisor)};
}

at::Tensor mask_loss(const at::Tensor& logits_FMM, const at::Tensor& targets_FMM,
                     double foreground) {
  require(logits_FMM.sizes() == targets_FMM.sizes(),
          "mask_loss: expected equal shapes, got {} logits and {} targets", logits_FMM.numel(),
          targets_FMM.numel());
  const at::Tensor logits = wide_type(logits_FMM);
  const auto pixels = static_cast<double>(logits.size(1) * logits.size(2));
  return share(sum_of_cross_entropies(logits, targets_FMM.to(logits.scalar_type())),
               foreground * pixels);
}

}  // namespace fcm::loss
