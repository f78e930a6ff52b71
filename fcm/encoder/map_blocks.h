// Transformers that know where in the picture their tokens are: those of published segmenters and
// detectors, and of towers. ConvVit and Vit hold one of them in place of nn::Blocks.
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

  // x [B, T, C], all tokens of the plan's pictures in slot order, behind the class token and what
  // else stands in front -> the same. Observer, drop_path and first as of nn::Blocks.
  virtual at::Tensor operator()(at::Tensor x_BTC, const masks::ViewPlan& plan,
                                const nn::Observer& observer, const nn::DropPath& drop_path,
                                int64_t first = 0) const = 0;
};

// As nn::Blocks takes them.
struct BlockSizes {
  std::string name;
  int64_t depth = 0, dim = 0, heads = 0;
  double mlp_ratio = 4, norm_epsilon = 0;
};

// Those that the embeddings ask for; null: none, but nn::Blocks.
std::unique_ptr<MapBlocks> map_blocks(const nn::Scope& scope, const BlockSizes& sizes,
                                      const Embeddings& embeddings);

}  // namespace fcm::encoder
