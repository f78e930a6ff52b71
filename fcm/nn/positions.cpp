#include "fcm/nn/positions.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include "fcm/base/error.h"

namespace fcm::nn {

at::Tensor resize_positions(const at::Tensor& positions_1TC, int64_t from_rows, int64_t from_cols,
                            int64_t to_rows, int64_t to_cols) {
  const int64_t patches = from_rows * from_cols;
  require(
      positions_1TC.dim() == 3 && positions_1TC.size(0) == 1 && positions_1TC.size(1) >= patches,
      "resize_positions: a table of [{}], wanted [1, T, C] with {} x {} patches in T",
      fmt::join(positions_1TC.sizes(), ", "), from_rows, from_cols);
  if (from_rows == to_rows && from_cols == to_cols) return positions_1TC;
  const int64_t class_tokens = positions_1TC.size(1) - patches;
  const at::Tensor map_1CHW = positions_1TC.narrow(1, class_tokens, patches)
                                  .transpose(1, 2)
                                  .unflatten(2, {from_rows, from_cols});
  const at::Tensor resized_1LC =
      at::upsample_bicubic2d(map_1CHW.contiguous(), {to_rows, to_cols}, /*align_corners=*/false)
          .flatten(2)
          .transpose(1, 2);
  return at::cat({positions_1TC.narrow(1, 0, class_tokens), resized_1LC}, 1);
}

}  // namespace fcm::nn
