// The upstream image towers whose features are targets, in plain tensor calls: DINO's ViT
// (vision_transformer.py of facebookresearch/dino) and CLIP's (clip/model.py of openai/CLIP).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "reference/reference.h"

namespace fcm::reference {

enum class Tower {
  kDino,  // patches with bias, LayerNorm 1e-6, GELU, a final `norm`; names without a prefix
  kClip,  // patches without bias, `ln_pre`, LayerNorm 1e-5, QuickGELU, `ln_post` and a projection;
          // names start with "visual."
};

struct TowerOptions {
  Tower tower = Tower::kDino;
  int64_t rows = 224;  // of the image, in pixels
  int64_t cols = 224;
  int64_t channels = 3;
  int64_t stride = 16;  // side of a patch in pixels
  int64_t dim = 768;
  int64_t depth = 12;
  int64_t heads = 12;
  double mlp_ratio = 4;
  int64_t projected_dim = 512;          // only CLIP
  at::ScalarType compute = at::kFloat;  // like ReferenceOptions::compute

  int64_t patches() const { return (rows / stride) * (cols / stride); }  // L
};

// Patch tokens in raster order, without the class token; in the dtype of the weights (projections:
// of `compute`).
struct TowerResult {
  std::vector<at::Tensor> blocks;  // outputs of the blocks, [B, L, D]
  at::Tensor normed_BLD;           // after `norm` (DINO), `ln_post` (CLIP)
  at::Tensor projected_BLP;        // CLIP: normed times `proj`
  at::Tensor class_output;         // the class token, normed and (CLIP) projected, [B, D or P]
};

// images_BCHW: pixels normalised for the tower. Throws Error(kUsage) if images do not divide into
// patches, Error(kCheckpoint) for a missing weight.
TowerResult tower(const Weights& weights, const TowerOptions& options,
                  const at::Tensor& images_BCHW);

// The upstream state_dict: every key with its shape, in the upstream order.
NamesAndShapes tower_names_and_shapes(const TowerOptions& options);

// Every token minus its mean, divided by sqrt(variance + epsilon).
at::Tensor normalised_tokens(const at::Tensor& tokens_BLD, double epsilon = 1e-5);

}  // namespace fcm::reference
