// Forward and backward of window attention by our own kernels, without autograd, for composite
// operators. All tensors are contiguous.
#pragma once

#include <ATen/core/Tensor.h>

#include "fcm/ops/isa.h"
#include "fcm/ops/window_attention/sets.h"

namespace fcm::ops {

// Whether our own kernels support heads of this size on x's device: at most 128 channels, on the
// CPU.
bool window_attention_fits(const at::Tensor& x, int64_t head_dim);

struct WindowAttended {
  at::Tensor out_BTC;
  at::Tensor statistics_BhT2;  // maximum score and 1 / sum of exponentials, saved for backward
};

// The table transposed, in the type of the arithmetic for rows of type `of_rows`: the bias_hR of
// the functions below.
at::Tensor biases_by_head(const at::Tensor& table_RH, at::ScalarType of_rows);
WindowAttended window_attention_forward(Isa isa, const at::Tensor& qkv_BTD,
                                        const at::Tensor& bias_hR, const WindowSets& sets);

struct WindowAttentionGradients {
  at::Tensor dqkv_BTD;
  at::Tensor dtable_RH;  // in the type of the arithmetic
  at::Tensor out_BTC;    // the forward result, recomputed, or undefined
};
WindowAttentionGradients window_attention_backward(Isa isa, const at::Tensor& dout_BTC,
                                                   const at::Tensor& qkv_BTD,
                                                   const at::Tensor& bias_hR,
                                                   const at::Tensor& statistics_BhT2,
                                                   const WindowSets& sets, bool recompute_out);

}  // namespace fcm::ops
