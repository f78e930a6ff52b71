#include "fcm/ops/patch_depthwise_conv/op.h"

#include <ATen/ATen.h>

namespace fcm::ops {

at::Tensor patch_depthwise_conv(const at::Tensor& x_BLPC, const at::Tensor& weight_TC,
                                const at::Tensor& bias_C, const at::Tensor& neighbours_BL9,
                                const Cells& cells) {
  return patch_depthwise_conv_reference(x_BLPC, weight_TC, bias_C, neighbours_BL9, cells);
}

}  // namespace fcm::ops
