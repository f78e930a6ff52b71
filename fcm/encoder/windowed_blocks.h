// The transformer of the upstream detectors of ConvMAE (DET/models/convmae.py) and MIMDet
// (models/benchmarking.py). Most blocks attend inside windows, some over the whole image. Two
// tables of relative position biases are shared: one by all window blocks, one by all global
// blocks.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "fcm/encoder/map_blocks.h"
#include "fcm/encoder/window_block.h"

namespace fcm::encoder {

// The slots of a window are consecutive (masks::plan_of_windows), so the images' tokens [B, L, C]
// become the windows' tokens [B * windows, window * window, C] without a copy.
class WindowedBlocks final : public MapBlocks {
 public:
  WindowedBlocks(const nn::Scope& scope, const BlockSizes& sizes, const Windowed& windowed);

  // The observer sees the output of a window block as [B * windows, window * window, C], row =
  // image * windows + window. drop_path has one factor per window for window blocks, [B * windows],
  // and one per image for global blocks. Throws std::logic_error for a plan other than
  // plan_of_windows of windowed.grid, and for a wrong number of factors.
  at::Tensor operator()(at::Tensor x_BTC, const masks::ViewPlan& plan, const nn::Observer& observer,
                        const nn::DropPath& drop_path, int64_t first = 0) const override;

 private:
  void check(const masks::ViewPlan& plan) const;

  std::string name_;
  Windowed windowed_;
  std::vector<WindowBlock> blocks_;
  at::Tensor window_table_RH_, map_table_RH_;
};

// Whether the block with this index attends over the whole image.
bool is_global(const Windowed& windowed, int64_t block);

}  // namespace fcm::encoder
