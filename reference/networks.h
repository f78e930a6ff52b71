// The upstream networks, each from pixels to predictions.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "reference/layers.h"
#include "reference/views.h"

namespace fcm::reference {

// The output for a run of views, view-major (row = view * B + image).
struct RunOutput {
  Run run;
  at::Tensor latent_NTD;                    // [count * B, k, D]; ViT [count * B, 1 + k, D]
  std::vector<at::Tensor> predictions_NLD;  // per target [count * B, L, dim], raster order
};

// The decoder's blocks and heads on a whole sequence [N, T, D]: per target [N, T, dim].
std::vector<at::Tensor> reconstruct(const Layers& layers, const ReferenceOptions& options,
                                    const at::Tensor& x_NTD);

// The predictions of the cross decoder, in which hidden patches attend to the encoder's tokens
// only: per target [N, L, dim], 0 where predicted_NL is 0. sources_NTC: the input of each of the
// encoder's blocks, then the latent.
std::vector<at::Tensor> reconstruct_cross(const Layers& layers, const ReferenceOptions& options,
                                          const std::vector<at::Tensor>& sources_NTC,
                                          const at::Tensor& predicted_NL);

std::vector<RunOutput> fast_conv_mae(const Layers& layers, const ReferenceOptions& options,
                                     const at::Tensor& images_BCHW, const Views& views);
// Every view is a separate MAE; views do not share a batch.
std::vector<RunOutput> mae(const Layers& layers, const ReferenceOptions& options,
                           const at::Tensor& images_BCHW, const Views& views);

}  // namespace fcm::reference
