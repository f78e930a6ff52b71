// The transformer of upstream segmenters: global attention with relative position biases, and
// LayerScale. Source: ConvMAE's SEG/backbone/convmae.py; mmsegmentation's mae.py.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "fcm/encoder/map_blocks.h"
#include "fcm/encoder/window_block.h"
#include "fcm/masks/view_plan.h"
#include "fcm/nn/drop_path.h"
#include "fcm/nn/observer.h"

namespace fcm::encoder {

class RelativeBlocks final : public MapBlocks {
 public:
  // Arguments as in nn::Blocks. `trained`: the grid for which the relative position bias tables are
  // trained.
  RelativeBlocks(const nn::Scope& scope, std::string name, int64_t depth, int64_t dim,
                 int64_t heads, double mlp_ratio, double norm_epsilon, masks::Grid trained,
                 bool class_token);

  // x [B, T, C], the class token, if any, and the patches of the plan's grid in raster order -> [B,
  // T, C]. masks/map_attention.h tells how tables are used for a grid other than the trained one.
  // The observer is called with the names of nn::Blocks. `first`: index of block 0 in the whole
  // network, for drop_path. Throws std::logic_error unless the plan is masks::full_plan.
  at::Tensor operator()(at::Tensor x_BTC, const masks::ViewPlan& plan, const nn::Observer& observer,
                        const nn::DropPath& drop_path, int64_t first = 0) const override;

 private:
  std::string name_;
  masks::Grid trained_;
  bool class_token_;
  std::vector<WindowBlock> blocks_;
};

}  // namespace fcm::encoder
