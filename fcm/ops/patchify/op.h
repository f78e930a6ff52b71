// Cuts images into patches in ViewPlan order, with cells in stored order.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "fcm/ops/patches.h"

namespace fcm::ops {

// Per-channel normalisation of 0..255 pixels: (x / 255 - mean) / stddev.
struct Normalisation {
  std::vector<double> mean;
  std::vector<double> stddev;
};

// images_BHWC: uint8. order_BL: int64, slot -> patch number in raster order. Returns pixels [B, L,
// P, D] of `dtype` (float32, float64, bfloat16): P cells of a patch, D = stride^2 * channels as
// (row, column, channel). Throws Error(kData) unless H and W are multiples of the patch side. Not
// differentiable (no gradient reaches an image).
at::Tensor patchify(const at::Tensor& images_BHWC, const at::Tensor& order_BL,
                    const PatchGeometry& geometry, const Normalisation& normalisation,
                    at::ScalarType dtype);
at::Tensor patchify_reference(const at::Tensor& images_BHWC, const at::Tensor& order_BL,
                              const PatchGeometry& geometry, const Normalisation& normalisation,
                              at::ScalarType dtype);

// patchify for images that are already normalised: [B, C, H, W] floating-point, as in the upstream
// programs. The result has the type of the images. Plain tensor calls, for tests and parity.
at::Tensor patchify_normalised(const at::Tensor& images_BCHW, const at::Tensor& order_BL,
                               const PatchGeometry& geometry);

// The inverse: from patches [B, L, patch_side^2 * channels] (pixels in stored order) to images
// [B, C, H, W] of rows x cols patches.
at::Tensor unpatchify(const at::Tensor& patches_BLD, const at::Tensor& order_BL,
                      const PatchGeometry& geometry, int64_t rows, int64_t cols);

}  // namespace fcm::ops
