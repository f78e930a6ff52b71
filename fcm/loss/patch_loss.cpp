#include "fcm/loss/patch_loss.h"

#include <ATen/ATen.h>

namespace fcm::loss {

at::Tensor patch_loss_sum(const at::Tensor& predictions_BGHD, const at::Tensor& targets_BLD,
                          const at::Tensor& hidden_slots_GH) {
  const at::Tensor wanted_BGHD =
      targets_BLD.index_select(1, hidden_slots_GH.reshape({-1})).view(predictions_BGHD.sizes());
  const at::Tensor difference = predictions_BGHD.to(wanted_BGHD.scalar_type()) - wanted_BGHD;
  return difference.square().sum() / static_cast<double>(predictions_BGHD.size(3));
}

}  // namespace fcm::loss
