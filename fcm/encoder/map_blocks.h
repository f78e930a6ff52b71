// The interface of transformers that read the plan, for example for the 2D positions of their
// tokens: those of upstream segmenters, detectors and image towers. ConvVit and Vit hold one in
// place of nn::Blocks.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>

#include "fcm/encoder/encoder.h"
#include "fcm/masks/view_plan.h"
#include "fcm/nn/drop_path.h"
#include "fcm/nn/observer.h"
#include "fcm/nn/parameters.h"

namespace fcm::encoder {

class MapBlocks {
 public:
  virtual ~MapBlocks() = default;

  // x [B, T, C] -> [B, T, C]. T: class token and registers, if any, then all patches of an image in
  // slot order. observer, drop_path and first are as in nn::Blocks.
  virtual at::Tensor operator()(at::Tensor x_BTC, const masks::ViewPlan& plan,
                                const nn::Observer& observer, const nn::DropPath& drop_path,
                                int64_t first = 0) const = 0;
};

// The constructor arguments of nn::Blocks.
struct BlockSizes {
  std::string name;
  int64_t depth = 0, dim = 0, heads = 0;
  double mlp_ratio = 4, norm_epsilon = 0;
};

// Makes the blocks that `embeddings` select; null: none, so that the encoder uses nn::Blocks.
std::unique_ptr<MapBlocks> map_blocks(const nn::Scope& scope, const BlockSizes& sizes,
                                      const Embeddings& embeddings);

}  // namespace fcm::encoder
