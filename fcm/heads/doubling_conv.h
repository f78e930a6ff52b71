// A transposed convolution of 2 x 2 by steps of 2: windows do not overlap, so it is a product that
// makes four positions of each.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "fcm/nn/conv_start.h"
#include "fcm/nn/parameters.h"

namespace fcm::heads {

// Published weight [in, out, 2, 2] and bias [out].
class DoublingConv {
 public:
  DoublingConv(const nn::Scope& scope, int64_t in, int64_t out,
               nn::ConvStart start = nn::ConvStart::kFanIn);
  // [B, h, w, in] -> [B, 2 h, 2 w, out]
  at::Tensor operator()(const at::Tensor& map_BHWI) const;
  // The same numbers as the product leaves them, [B, h, w, 4, out]: the four of a position row by
  // row. For what does not ask where they lie.
  at::Tensor cells(const at::Tensor& map_BHWI) const;

 private:
  at::Tensor weight_IO22_, bias_O_;
};

// [B, h, w, 4, ...] -> [B, 2 h, 2 w, ...]
at::Tensor map_of_cells(const at::Tensor& cells_BHW4);

}  // namespace fcm::heads
