// The GPU kernels of patch_loss. All pointers are to GPU memory, including those to the loss and
// its gradient, so no sync is needed.
#pragma once

#include "fcm/ops/cuda/stream.h"
#include "fcm/ops/patch_loss/kernel.h"

namespace fcm::ops {

// Number of partial sums; depends on the shape alone.
[[gnu::weak]] int64_t patch_loss_parts_cuda(int64_t rows);

// *loss = sum over all rows of the mean over D of the squared (or absolute) difference. rows.begin
// must be 0. parts: [patch_loss_parts_cuda(rows.end)], overwritten.
[[gnu::weak]] void patch_loss_forward_cuda(const PatchLossRows<float, float>& rows, double* parts,
                                           float* loss, CudaStream stream);
[[gnu::weak]] void patch_loss_forward_cuda(const PatchLossRows<Bfloat16, float>& rows,
                                           double* parts, float* loss, CudaStream stream);
[[gnu::weak]] void patch_loss_forward_cuda(const PatchLossRows<double, double>& rows, double* parts,
                                           double* loss, CudaStream stream);

// dpredictions = 2 / D * *dloss * (prediction - target); if rows.absolute: 1 / D * *dloss *
// sign(prediction - target).
[[gnu::weak]] void patch_loss_backward_cuda(const PatchLossRows<float, float>& rows,
                                            const float* dloss, float* dpredictions,
                                            CudaStream stream);
[[gnu::weak]] void patch_loss_backward_cuda(const PatchLossRows<Bfloat16, float>& rows,
                                            const float* dloss, Bfloat16* dpredictions,
                                            CudaStream stream);
[[gnu::weak]] void patch_loss_backward_cuda(const PatchLossRows<double, double>& rows,
                                            const double* dloss, double* dpredictions,
                                            CudaStream stream);

}  // namespace fcm::ops
