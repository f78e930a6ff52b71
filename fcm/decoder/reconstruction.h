#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "fcm/masks/view_plan.h"

namespace fcm::decoder {

// Predictions of the views of one run, for the patches that each view did not see.
struct RunReconstruction {
  masks::ViewRun run;
  at::Tensor hidden_slots_GH;  // int64: per view, the slots it predicts
  // One per target, in the order of the decoder's outputs: [B, views, L - k, D of the target].
  std::vector<at::Tensor> predictions_BGHD;
};

struct Reconstruction {
  std::vector<RunReconstruction> runs;
};

}  // namespace fcm::decoder
