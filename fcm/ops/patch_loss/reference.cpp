#include <ATen/ATen.h>

#include "fcm/ops/patch_loss/op.h"

namespace fcm::ops {

at::Tensor patch_loss_reference(const at::Tensor& predictions_BGHD, const at::Tensor& targets_BLD,
                                const at::Tensor& hidden_slots_GH, PatchError error) {
  const at::Tensor wanted_BGHD =
      targets_BLD.index_select(1, hidden_slots_GH.reshape({-1})).view(predictions_BGHD.sizes());
  const at::Tensor difference = predictions_BGHD.to(wanted_BGHD.scalar_type()) - wanted_BGHD;
  const at::Tensor each = error == PatchError::kAbsolute ? difference.abs() : difference.square();
  return each.mean(3).sum();
}

}  // namespace fcm::ops
