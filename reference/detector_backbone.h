// The upstream backbones of detectors, in plain tensor calls: ConvMAE's DET/models/convmae.py,
// MIMDet's models/benchmarking.py, Official-ConvMAE-Det's modeling/convmae.py. Windows are cut out
// of the maps, and position biases are computed for every pair of tokens.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "fcm/nn/drop_path.h"
#include "fcm/nn/observer.h"
#include "reference/reference.h"

namespace fcm::reference {

struct DetectorBackboneOptions : EncoderSizes {
  // The form of Official-ConvMAE-Det: each block has tables for rows and columns, windows are
  // zero-padded, positions are resized from the square table in the weights.
  bool decomposed = false;
  int64_t window = 16;                  // patches along a side
  std::vector<int64_t> global_blocks;   // with attention over the whole image
  at::ScalarType compute = at::kFloat;  // like ReferenceOptions::compute
};

// The maps [B, C, H, W]: of a ConvViT the three stages, finest first, and the last stage pooled
// (decomposed: only the last stage); of a ViT the outputs of the last block of each quarter.
// images_BCHW: normalised pixels, floating-point. `prefix` ("backbone.bottom_up.") comes before the
// names of the weights and of what the observer gets: windowed blocks with shared tables as [B *
// windows, window^2, C], decomposed blocks as [B, H, W, C]. drop_path: one factor per window for
// windowed blocks with shared tables, [B * windows]; one per image for all other blocks. Throws
// Error(kCheckpoint) for a missing weight.
std::vector<at::Tensor> detector_backbone(const Weights& weights,
                                          const DetectorBackboneOptions& options,
                                          const std::string& prefix, const at::Tensor& images_BCHW,
                                          const nn::DropPath& drop_path = {},
                                          const nn::Observer& observer = {});

}  // namespace fcm::reference
