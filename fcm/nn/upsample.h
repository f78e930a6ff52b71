// Maps brought to another size: bilinear, as PyTorch's interpolate does without align_corners, and
// by adaptive average pooling. Both are linear along rows and along columns, so a map is multiplied
// by one small matrix for each axis, forward and backward; no library's kernel for maps with
// channels last is threaded within a picture on its way back.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace fcm::nn {

// What an output position reads along one axis: (1 - share) of `first` and `share` of `second`.
struct LinearTap {
  int64_t first = 0, second = 0;
  double share = 0;
};

// Of every output position d: source = max((d + .5) * in / out - .5, 0), the second neighbour
// clamped.
std::vector<LinearTap> bilinear_taps(int64_t in, int64_t out);

// [out, in], float64: row d holds what output d takes of each input.
at::Tensor bilinear_matrix(int64_t in, int64_t out);
// Means of bins: bin i is floor(i * in / out) .. ceil((i + 1) * in / out) - 1.
at::Tensor pooling_matrix(int64_t in, int64_t out);

// x [B, H, W, C], rows_RH, columns_SW -> [B, R, S, C] of x's type, differentiable in x. bfloat16 is
// multiplied in float32.
at::Tensor resampled(const at::Tensor& x_BHWC, const at::Tensor& rows_RH,
                     const at::Tensor& columns_SW);

// [B, H, W, C] -> [B, rows, cols, C].
at::Tensor upsample(const at::Tensor& x_BHWC, int64_t rows, int64_t cols);
// [B, H, W, C] -> [B, side, side, C].
at::Tensor adaptive_pool(const at::Tensor& x_BHWC, int64_t side);

}  // namespace fcm::nn
