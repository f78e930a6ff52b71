// Four maps of different sizes from four layers of a ViT, for detection: the neck of MIMDet's
// BenchmarkingViTDet (models/benchmarking.py, ms_adaptor). vit_neck.h has the neck for
// segmentation.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "fcm/heads/doubling_conv.h"
#include "fcm/nn/parameters.h"

namespace fcm::heads {

class VitAdaptor {
 public:
  // `scope`: upstream's backbone ("backbone.bottom_up"), to which it adds "ms_adaptor.*".
  // `channels` is a multiple of 32, the number of groups of its normalisation.
  VitAdaptor(const nn::Scope& scope, int64_t channels);
  // Four maps [B, h, w, C], shallowest first -> the same maps scaled by 4, 2, 1 and 1/2 (rounded
  // down).
  std::vector<at::Tensor> operator()(const std::vector<at::Tensor>& maps_BHWC) const;

 private:
  DoublingConv first_;
  at::Tensor norm_weight_C_, norm_bias_C_;
  DoublingConv second_, only_;
};

}  // namespace fcm::heads
