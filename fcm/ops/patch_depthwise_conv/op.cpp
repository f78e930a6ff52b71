#include "fcm/ops/patch_depthwise_conv/op.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <atomic>

#include "fcm/base/error.h"
#include "fcm/ops/patch_depthwise_conv/launch.h"
#include "fcm/ops/reference_ops.h"

namespace fcm::ops {
namespace {

using patch_conv::Geometry;
using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

// Checks that slots are in range, that a patch sees itself and that edges are mutual, because the
// kernels do no bounds checks and the gradient uses the reversed edges. Only for tables on the CPU:
// on a GPU the check would sync in every call.
void check_neighbours(const at::Tensor& neighbours_BL9) {
  const int64_t slots = neighbours_BL9.size(1);
  const int32_t* table = neighbours_BL9.const_data_ptr<int32_t>();
  std::atomic<int64_t> wrong_row{-1};
  at::parallel_for(0, neighbours_BL9.size(0) * slots, 2048, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t slot = row % slots;
      const int32_t* image = table + (row - slot) * 9;
      bool right = image[slot * 9 + 4] == slot;
      for (int64_t k = 0; k < 9; ++k) {
        const int64_t near = image[slot * 9 + k];
        right =
            right && near >= -1 && near < slots && (near == -1 || image[near * 9 + 8 - k] == slot);
      }
      if (!right) wrong_row = row;
    }
  });
  require(
      wrong_row < 0,
      "[patch_depthwise_conv] neighbours of image {}, slot {}: expected slots 0..{} or -1, the slot "
      "itself in the middle, and each edge with its reverse",
      wrong_row / slots, wrong_row % slots, slots - 1);
}

void check_shapes(const at::Tensor& x_BLPC, const at::Tensor& weight_TC, const at::Tensor& bias_C,
                  const at::Tensor& neighbours_BL9, const Cells& cells) {
  require(
      cells.side >= 2 && static_cast<int64_t>(cells.raster.size()) == cells.count(),
      "[patch_depthwise_conv] expected patches of at least 2 x 2 cells, got {} x {}: a tap would "
      "reach past the neighbouring patch",
      cells.side, cells.side);
  require(x_BLPC.dim() == 4 && x_BLPC.size(2) == cells.count(),
          "[patch_depthwise_conv] got x of {} dimensions, expected [B, L, {}, C]", x_BLPC.dim(),
          cells.count());
  const int64_t channels = x_BLPC.size(3);
  require(channels > 0 && weight_TC.dim() == 2 && weight_TC.size(0) == 25 &&
              weight_TC.size(1) == channels,
          "[patch_depthwise_conv] expected a weight of [25, {}]", channels);
  require(bias_C.dim() == 1 && bias_C.size(0) == channels,
          "[patch_depthwise_conv] expected a bias of [{}]", channels);
  require(neighbours_BL9.scalar_type() == at::kInt && neighbours_BL9.dim() == 3 &&
              neighbours_BL9.size(0) == x_BLPC.size(0) &&
              neighbours_BL9.size(1) == x_BLPC.size(1) && neighbours_BL9.size(2) == 9,
          "[patch_depthwise_conv] expected neighbours int32 [{}, {}, 9]", x_BLPC.size(0),
          x_BLPC.size(1));
}

at::Tensor raster_to_stored(const Cells& cells) {
  at::Tensor stored = at::empty({cells.count()}, at::kInt);
  auto* places = stored.mutable_data_ptr<int32_t>();
  for (size_t place = 0; place < cells.raster.size(); ++place) {
    places[cells.raster[place]] = static_cast<int32_t>(place);
  }
  return stored;
}

struct PatchDepthwiseConv : torch::autograd::Function<PatchDepthwiseConv> {
  static Variable forward(AutogradContext* context, const Variable& x, const Variable& weight,
                          const Variable& bias, const at::Tensor& neighbours,
                          const at::Tensor& stored, int64_t side) {
    context->save_for_backward({x, weight, neighbours, stored});
    context->saved_data["side"] = side;
    context->saved_data["bias_type"] = static_cast<int64_t>(bias.scalar_type());
    return patch_conv::forward(patch_conv::kernels_for(isa()), x, weight, bias,
                               Geometry{neighbours, stored, side});
  }

  static variable_list backward(AutogradContext* context, variable_list upstream) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1];
    const Geometry geometry{saved[2], saved[3], context->saved_data["side"].toInt()};
    const auto bias_type = static_cast<at::ScalarType>(context->saved_data["bias_type"].toInt());
    const bool want_weight = context->needs_input_grad(1), want_bias = context->needs_input_grad(2);
    const patch_conv::Gradients gradients = patch_conv::backward(
        patch_conv::kernels_for(isa()), upstream[0].to(x.scalar_type()).contiguous(), x, weight,
        geometry, context->needs_input_grad(0), want_weight || want_bias);
    return {gradients.dx_BLPC,
            want_weight ? gradients.dweight_TC.to(weight.scalar_type()) : at::Tensor(),
            want_bias ? gradients.dbias_C.to(bias_type) : at::Tensor(),
            at::Tensor(),
            at::Tensor(),
            at::Tensor()};
  }
};

}  // namespace

patch_conv::Geometry patch_conv::checked_geometry(const at::Tensor& x_BLPC,
                                                  const at::Tensor& weight_TC,
                                                  const at::Tensor& bias_C,
                                                  const at::Tensor& neighbours_BL9,
                                                  const Cells& cells) {
  check_shapes(x_BLPC, weight_TC, bias_C, neighbours_BL9, cells);
  Geometry geometry{neighbours_BL9.contiguous(), raster_to_stored(cells), cells.side};
  if (x_BLPC.is_cpu()) check_neighbours(geometry.neighbours_BL9);
  return geometry;
}

at::Tensor patch_depthwise_conv(const at::Tensor& x_BLPC, const at::Tensor& weight_TC,
                                const at::Tensor& bias_C, const at::Tensor& neighbours_BL9,
                                const Cells& cells) {
  const Geometry geometry =
      patch_conv::checked_geometry(x_BLPC, weight_TC, bias_C, neighbours_BL9, cells);
  if (reference_ops()) {
    return patch_depthwise_conv_reference(x_BLPC, weight_TC, bias_C, neighbours_BL9, cells);
  }
  return PatchDepthwiseConv::apply(x_BLPC.contiguous(), weight_TC, bias_C, geometry.neighbours_BL9,
                                   geometry.stored, geometry.side);
}

}  // namespace fcm::ops
