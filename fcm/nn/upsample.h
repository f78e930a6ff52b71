// Resizes maps: bilinear upsampling, as PyTorch's interpolate without align_corners, and adaptive
// average pooling. Both are linear along rows and along columns, so forward and backward multiply a
// map by one small matrix per axis. LibTorch's own backward for channels-last maps is slower: it is
// not parallel within an image.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace fcm::nn {

// Interpolation of an output position along one axis: (1 - share) of `first`, `share` of `second`.
struct LinearTap {
  int64_t first = 0, second = 0;
  double share = 0;
};

// For every output position d, the input positions around max((d + 0.5) * in / out - 0.5, 0). The
// second one is clamped to in - 1.
std::vector<LinearTap> bilinear_taps(int64_t in, int64_t out);

// [out, in], float64: row d holds the weights of the inputs of output d.
at::Tensor bilinear_matrix(int64_t in, int64_t out);
// Means of bins: bin i is floor(i * in / out) .. ceil((i + 1) * in / out) - 1.
at::Tensor pooling_matrix(int64_t in, int64_t out);

// x [B, H, W, C], rows_RH, columns_SW -> [B, R, S, C] of x's type, differentiable in x. bfloat16 is
// computed in float32.
at::Tensor resampled(const at::Tensor& x_BHWC, const at::Tensor& rows_RH,
                     const at::Tensor& columns_SW);

// [B, H, W, C] -> [B, rows, cols, C].
at::Tensor upsample(const at::Tensor& x_BHWC, int64_t rows, int64_t cols);
// [B, H, W, C] -> [B, side, side, C].
at::Tensor adaptive_pool(const at::Tensor& x_BHWC, int64_t side);

}  // namespace fcm::nn
