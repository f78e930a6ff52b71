#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "fcm/masks/view_plan.h"

namespace fcm::decoder {

// Predictions of the views of one run, for the patches each did not see.
struct RunReconstruction {
  masks::ViewRun run;
  at::Tensor hidden_slots_GH;   // int64: per view, the slots it had to guess
  at::Tensor predictions_BGHD;  // [B, views, L - k, pixels * channels], pixels in stored order
};

struct Reconstruction {
  std::vector<RunReconstruction> runs;
};

}  // namespace fcm::decoder
