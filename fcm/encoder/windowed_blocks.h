// The transformer of the published detectors of ConvMAE (DET/models/convmae.py) and MIMDet
// (models/benchmarking.py): most blocks attend inside windows, some over the whole picture; two
// tables of biases by relative position, one for each of these kinds, are shared by all its blocks.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "fcm/encoder/map_blocks.h"
#include "fcm/encoder/window_block.h"

namespace fcm::encoder {

// Slots of a window are consecutive (masks::plan_of_windows), so that the tokens of windows are the
// view [B * windows, window * window, C] of those of pictures, [B, L, C].
class WindowedBlocks final : public MapBlocks {
 public:
  WindowedBlocks(const nn::Scope& scope, const BlockSizes& sizes, const Windowed& windowed);

  // The observer sees windowed blocks as [B * windows, window * window, C], row = picture * windows
  // + window. drop_path has one factor a window for them, [B * windows], and one a picture for the
  // others. Throws std::logic_error for another plan than plan_of_windows of the grid, or other
  // factors.
  at::Tensor operator()(at::Tensor x_BTC, const masks::ViewPlan& plan, const nn::Observer& observer,
                        const nn::DropPath& drop_path, int64_t first = 0) const override;

 private:
  void check(const masks::ViewPlan& plan) const;

  std::string name_;
  Windowed windowed_;
  std::vector<WindowBlock> blocks_;
  at::Tensor window_table_RH_, map_table_RH_;
};

// Whether that block attends over the whole picture.
bool is_global(const Windowed& windowed, int64_t block);

}  // namespace fcm::encoder
