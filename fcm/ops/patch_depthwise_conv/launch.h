// Runs the kernels on tensors, without autograd, with the work split into parts for threads. For
// composite operators, and for tests, which run the kernels of every instruction set.
#pragma once

#include <ATen/core/Tensor.h>

#include "fcm/ops/isa.h"
#include "fcm/ops/patch_depthwise_conv/kernel.h"
#include "fcm/ops/patches.h"

namespace fcm::ops::patch_conv {

const Kernels& kernels_for(Isa isa);

// The edges and the order of cells. neighbours_BL9: int32, contiguous, on the device of x. stored:
// int32 [side^2], raster cell -> stored index, always on the CPU.
struct Geometry {
  at::Tensor neighbours_BL9;
  at::Tensor stored;
  int64_t side = 0;
};

// Arguments as for patch_depthwise_conv (op.h). Throws std::logic_error if they do not fit
// together.
Geometry checked_geometry(const at::Tensor& x_BLPC, const at::Tensor& weight_TC,
                          const at::Tensor& bias_C, const at::Tensor& neighbours_BL9,
                          const Cells& cells);

// x_BLPC contiguous; weight_TC, bias_C of any floating type. The result has x's shape and type.
at::Tensor forward(const Kernels& kernels, const at::Tensor& x_BLPC, const at::Tensor& weight_TC,
                   const at::Tensor& bias_C, const Geometry& geometry);

// dx has x's shape and type; the gradients of weight [25, C] and bias [C] have the type of the sums
// (float, double for double x). Gradients that are not wanted stay undefined. The same bits for any
// number of threads.
struct Gradients {
  at::Tensor dx_BLPC;
  at::Tensor dweight_TC;
  at::Tensor dbias_C;
};
Gradients backward(const Kernels& kernels, const at::Tensor& dy_BLPC, const at::Tensor& x_BLPC,
                   const at::Tensor& weight_TC, const Geometry& geometry, bool want_dx,
                   bool want_weights);

}  // namespace fcm::ops::patch_conv
