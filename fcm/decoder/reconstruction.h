#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "fcm/masks/view_plan.h"

namespace fcm::decoder {

// Predictions of the views of one run: each view predicts H of the patches that it did not see.
struct RunReconstruction {
  masks::ViewRun run;
  at::Tensor hidden_slots_GH;  // int64: per view, the slots it predicts
  // One per target, in the order of the decoder's outputs: [B, views, H, D of the target].
  std::vector<at::Tensor> predictions_BGHD;
};

struct Reconstruction {
  std::vector<RunReconstruction> runs;
};

}  // namespace fcm::decoder
