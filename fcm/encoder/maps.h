// Converts the outputs of stages to feature maps.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "fcm/masks/view_plan.h"
#include "fcm/ops/patches.h"

namespace fcm::encoder {

// x [B, L, ...], all patches in plan order -> the same shape in raster order.
at::Tensor in_raster_order(const at::Tensor& x, const masks::ViewPlan& plan);

// x [B, L, P, C], the cells of a stage with patches in raster order -> [B, rows, cols, C].
at::Tensor map_of_stage(const at::Tensor& x_BLPC, masks::Grid grid,
                        const ops::PatchGeometry& geometry, int64_t stage);

}  // namespace fcm::encoder
