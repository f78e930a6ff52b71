// The published backbones of detectors, in plain tensor calls on NCHW maps, with windows cut out of
// them and the biases of all pairs: ConvMAE's DET/models/convmae.py, MIMDet's
// models/benchmarking.py, Official-ConvMAE-Det's modeling/convmae.py.
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
  // Official-ConvMAE-Det's: tables of each block for rows and columns, windows filled up with
  // zeros, positions resized from the square table that the weights hold.
  bool decomposed = false;
  int64_t window = 16;                  // patches a side
  std::vector<int64_t> global_blocks;   // that attend over the image
  at::ScalarType compute = at::kFloat;  // as in ReferenceOptions
};

// The maps, finest first, [B, C, H, W]: of a ConvViT the three stages and the last one pooled (or,
// decomposed, that one alone), of a ViT what each quarter of its blocks leaves. images_BCHW:
// normalised pixels, floating. Names of weights stand behind `prefix` ("backbone.bottom_up."), and
// so do those that the observer sees: windowed blocks of the shared tables as [B * windows,
// window^2, C], decomposed blocks as [B, H, W, C]. drop_path: one factor a window for the former,
// [B * windows], else one an image. Throws Error(kCheckpoint) for a weight that is missing.
std::vector<at::Tensor> detector_backbone(const Weights& weights,
                                          const DetectorBackboneOptions& options,
                                          const std::string& prefix, const at::Tensor& images_BCHW,
                                          const nn::DropPath& drop_path = {},
                                          const nn::Observer& observer = {});

}  // namespace fcm::reference
