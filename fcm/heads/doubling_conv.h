// A 2 x 2 transposed convolution with stride 2. The 2 x 2 outputs of neighbouring positions do not
// overlap, so the convolution is one matrix product with four outputs per position.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "fcm/nn/conv_start.h"
#include "fcm/nn/parameters.h"

namespace fcm::heads {

// Has upstream's parameters: weight [in, out, 2, 2] and bias [out].
class DoublingConv {
 public:
  DoublingConv(const nn::Scope& scope, int64_t in, int64_t out,
               nn::ConvStart start = nn::ConvStart::kFanIn);
  // [B, h, w, in] -> [B, 2 h, 2 w, out]
  at::Tensor operator()(const at::Tensor& map_BHWI) const;
  // The same values before they are interleaved, [B, h, w, 4, out]: the four outputs of a position,
  // row by row. For callers that treat all positions alike.
  at::Tensor cells(const at::Tensor& map_BHWI) const;

 private:
  at::Tensor weight_IO22_, bias_O_;
};

// [B, h, w, 4, ...] -> [B, 2 h, 2 w, ...]
at::Tensor map_of_cells(const at::Tensor& cells_BHW4);

}  // namespace fcm::heads
