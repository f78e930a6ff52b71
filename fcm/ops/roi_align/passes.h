// Forward and backward of roi_align without autograd.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <vector>

#include "fcm/ops/isa.h"

namespace fcm::ops {

// The boxes and their parameters, as in op.h. boxes: contiguous, in the type of the coordinates.
struct Rois {
  at::Tensor boxes_R4, image_R, level_R;
  std::vector<double> scales;
  int64_t bins = 0;

  int64_t count() const { return boxes_R4.size(0); }
};

// Sizes and type of the maps; backward needs nothing else of the maps.
struct RoiMaps {
  int64_t images = 0, channels = 0;
  std::vector<std::array<int64_t, 2>> sides;  // rows and columns of each
  at::ScalarType type = at::kFloat;

  int64_t levels() const { return static_cast<int64_t>(sides.size()); }
};

RoiMaps sizes_of_maps(const std::vector<at::Tensor>& maps_BHWC);

// Arguments must be checked and contiguous, all on one device.
at::Tensor roi_align_forward(Isa isa, const std::vector<at::Tensor>& maps_BHWC, const Rois& rois);
// The gradient of every map, in the maps' type.
std::vector<at::Tensor> roi_align_backward(Isa isa, const at::Tensor& dout_RPPC, const Rois& rois,
                                           const RoiMaps& maps);

// Forward and backward on a GPU.
at::Tensor roi_align_forward_on_gpu(const std::vector<at::Tensor>& maps_BHWC, const Rois& rois);
std::vector<at::Tensor> roi_align_backward_on_gpu(const at::Tensor& dout_RPPC, const Rois& rois,
                                                  const RoiMaps& maps);

}  // namespace fcm::ops
