// 5x5 depthwise convolution on the graph of patches. It is the encoder's convolution between
// patches: the edges say which patches are adjacent.
#pragma once

#include <ATen/core/Tensor.h>

#include "fcm/ops/patches.h"

namespace fcm::ops {

// y[b,l,p,c] = bias[c] + sum over the 25 taps t of weight[t,c] * x[the cell at offset t from
// (l,p)]. The cell at offset t is in slot neighbours[b,l,.]; it contributes nothing if this entry
// is -1. Masking only removes edges; with every edge this is the plain convolution with zero
// padding.
//
// x_BLPC: float32, bfloat16 or float64, contiguous is fastest. weight_TC: [25, C], tap = row * 5 +
// col; bias_C; both of any floating type (fp32 master weights with bfloat16 x work; sums are in
// fp32). neighbours_BL9: int32, slots of the 3x3 surrounding patches, row by row. Requires
// cells.side >= 2 (otherwise a tap reaches past the neighbouring patch). Differentiable in x,
// weight, bias; the same bits for any number of threads. Source: CBlock of models_fastconvmae.py,
// which uses G masked convolutions.
at::Tensor patch_depthwise_conv(const at::Tensor& x_BLPC, const at::Tensor& weight_TC,
                                const at::Tensor& bias_C, const at::Tensor& neighbours_BL9,
                                const Cells& cells);

// The specification: gathers in plain tensor calls, with LibTorch's autograd.
at::Tensor patch_depthwise_conv_reference(const at::Tensor& x_BLPC, const at::Tensor& weight_TC,
                                          const at::Tensor& bias_C,
                                          const at::Tensor& neighbours_BL9, const Cells& cells);

}  // namespace fcm::ops
