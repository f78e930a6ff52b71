// The encoder of any checkpoint, whatever stands on it, to look at its tokens.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>

#include "fcm/base/reporter.h"
#include "fcm/image/image.h"
#include "fcm/masks/view_plan.h"
#include "fcm/recipe/recipe.h"
#include "fcm/tasks/tasks.h"

namespace fcm::tasks {

struct TrainedEncoder {
  recipe::Recipe recipe;  // fit_to_recipe makes of any image what `tokens` takes
  int64_t step = 0;
  masks::Grid grid;  // of patches, and the side of one in pixels
  int64_t side = 0;
  // Of an image as the network sees it, all of it: [L, C], float32 on the CPU, patches in raster
  // order, without a class token. Behind the encoder's last norm, as `features` gives them; in
  // segmenters and detectors, which have none there, results of the last block. Throws
  // Error(kNumeric) where they are not finite.
  std::function<at::Tensor(const image::Image&)> tokens;
};

// Of a run of pretraining, a classifier, a segmenter, a detector or a file of another program.
// Throws Error(kCheckpoint) where there is no encoder that this program has.
TrainedEncoder load_trained_encoder(const CheckpointRequest& request, Reporter& reporter,
                                    at::Device device);

}  // namespace fcm::tasks
