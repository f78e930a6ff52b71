#include <ATen/ATen.h>

#include "fcm/base/error.h"
#include "fcm/ops/branches/op.h"
#include "fcm/ops/branches/shared.h"
#include "fcm/ops/layer_norm/passes.h"
#include "fcm/ops/linear/products.h"
#include "fcm/ops/patch_depthwise_conv/launch.h"
#include "fcm/ops/reference_ops.h"

namespace fcm::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using Optional = std::optional<at::Tensor>;

// M = B * L * P rows.
class ConvBranch : public torch::autograd::Function<ConvBranch> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x_BLPC,
                            const at::Tensor& norm_weight, const at::Tensor& norm_bias,
                            const at::Tensor& weight1, const at::Tensor& bias1,
                            const at::Tensor& taps_TC, const at::Tensor& taps_bias_C,
                            const at::Tensor& weight2, const at::Tensor& bias2,
                            const at::Tensor& neighbours, const at::Tensor& stored,
                            const Optional& scale, const Optional& rounded1,
                            const Optional& rounded2, double epsilon, int64_t side) {
    const at::Tensor scale_B = scale.value_or(at::Tensor());
    const at::Tensor residual = x_BLPC.contiguous();
    const at::Tensor x_MC = branches::as_rows(residual);
    const at::Tensor conv1_CC = weight_for(x_BLPC, weight1, rounded1.value_or(at::Tensor()));
    const at::Tensor conv2_CC = weight_for(x_BLPC, weight2, rounded2.value_or(at::Tensor()));
    const Normalised normed = layer_norm_forward(isa(), x_MC, norm_weight, norm_bias, epsilon);
    const at::Tensor first_BLPC =
        branches::multiply(normed.y, conv1_CC, bias1).view(residual.sizes());
    const at::Tensor spread_BLPC =
        patch_conv::forward(patch_conv::kernels_for(isa()), first_BLPC, taps_TC, taps_bias_C,
                            {neighbours, stored, side});
    context->save_for_backward({residual, normed.statistics_2M, first_BLPC, norm_weight, norm_bias,
                                conv1_CC, taps_TC, taps_bias_C, conv2_CC, neighbours, stored,
                                scale_B});
    context->saved_data["epsilon"] = epsilon;
    context->saved_data["side"] = side;
    branches::save_types(
        context, {norm_weight, norm_bias, weight1, bias1, taps_TC, taps_bias_C, weight2, bias2});
    return branches::end_branch(residual, branches::as_rows(spread_BLPC), conv2_CC, bias2,
                                scale_B);  // [B, L, P, C]
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &statistics_2M = saved[1], first_BLPC = saved[2], norm_weight = saved[3],
                     norm_bias = saved[4], conv1_CC = saved[5], taps_TC = saved[6],
                     taps_bias_C = saved[7], conv2_CC = saved[8], scale_B = saved[11];
    const patch_conv::Geometry geometry{saved[9], saved[10], context->saved_data["side"].toInt()};
    const patch_conv::Kernels& kernels = patch_conv::kernels_for(isa());
    const at::Tensor x_MC = branches::as_rows(saved[0]);
    const at::Tensor dy = gradients[0].contiguous();
    const at::Tensor dbranch_MC = branches::branch_gradient(dy, scale_B);

    const at::Tensor spread_BLPC =
        patch_conv::forward(kernels, first_BLPC, taps_TC, taps_bias_C, geometry);
    auto [dconv2, dbias2] =
        branches::weight_gradients_of(dbranch_MC, branches::as_rows(spread_BLPC));
    patch_conv::Gradients spread = patch_conv::backward(
        kernels, branches::input_gradient(dbranch_MC, conv2_CC).view(dy.sizes()), first_BLPC,
        taps_TC, geometry, /*want_dx=*/true, /*want_weights=*/true);
    const at::Tensor dfirst_MC = branches::as_rows(spread.dx_BLPC);
    const at::Tensor normed_MC = layer_norm_forward(isa(), x_MC, norm_weight, norm_bias,
                                                    context->saved_data["epsilon"].toDouble())
                                     .y;
    auto [dconv1, dbias1] = branches::weight_gradients_of(dfirst_MC, normed_MC);
    LayerNormGradients norm =
        layer_norm_backward(isa(), branches::input_gradient(dfirst_MC, conv1_CC), x_MC, norm_weight,
                            statistics_2M, branches::as_rows(dy));
    branches::restore_types(context, {&norm.dweight_C, &norm.dbias_C, &dconv1, &dbias1,
                                      &spread.dweight_TC, &spread.dbias_C, &dconv2, &dbias2});
    variable_list results = {norm.dx.view(dy.sizes()), norm.dweight_C, norm.dbias_C, dconv1, dbias1,
                             spread.dweight_TC,        spread.dbias_C, dconv2,       dbias2};
    results.resize(16);  // no gradients for tables, scale and scalars
    return results;
  }
};

}  // namespace

at::Tensor conv_branch(const at::Tensor& x_BLPC, const NormWeights& norm,
                       const ProductWeights& conv1, const DepthwiseWeights& depthwise,
                       const ProductWeights& conv2, const at::Tensor& neighbours_BL9,
                       const Cells& cells, const at::Tensor& scale_B) {
  const patch_conv::Geometry geometry = patch_conv::checked_geometry(
      x_BLPC, depthwise.weight_TC, depthwise.bias_C, neighbours_BL9, cells);
  const int64_t channels = x_BLPC.size(3);
  require(conv1.weight_OI.sizes() == at::IntArrayRef({channels, channels}) &&
              conv2.weight_OI.sizes() == at::IntArrayRef({channels, channels}),
          "conv_branch: expected square weights of {} channels, got {} x {} and {} x {}", channels,
          conv1.weight_OI.size(0), conv1.weight_OI.size(1), conv2.weight_OI.size(0),
          conv2.weight_OI.size(1));
  if (x_BLPC.numel() == 0 || reference_ops()) {
    return conv_branch_reference(x_BLPC, norm, conv1, depthwise, conv2, neighbours_BL9, cells,
                                 scale_B);
  }
  return ConvBranch::apply(x_BLPC, norm.weight_C, norm.bias_C, conv1.weight_OI, conv1.bias_O,
                           depthwise.weight_TC, depthwise.bias_C, conv2.weight_OI, conv2.bias_O,
                           geometry.neighbours_BL9, geometry.stored, branches::optional(scale_B),
                           branches::optional(conv1.rounded_OI),
                           branches::optional(conv2.rounded_OI), norm.epsilon, geometry.side);
}

}  // namespace fcm::ops
