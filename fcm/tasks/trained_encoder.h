// Loads the encoder of any checkpoint, whatever its head, to compute its tokens.
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
  recipe::Recipe recipe;  // fit_to_recipe converts an image to the input of `tokens`
  int64_t step = 0;
  masks::Grid grid;  // of patches
  int64_t side = 0;  // of a patch, in pixels
  // Computes the tokens of a whole image: [L, C], float32 on the CPU, patches in raster order,
  // without a class token. They are the output of the encoder's last norm, as `features` writes it.
  // The encoders of segmenters and detectors have no last norm; their tokens are the output of the
  // last block. Throws Error(kNumeric) for non-finite values.
  std::function<at::Tensor(const image::Image&)> tokens;
};

// The checkpoint may be of a pretraining run, a classifier, a segmenter, a detector or another
// program. Throws Error(kCheckpoint) if its encoder is not supported.
TrainedEncoder load_trained_encoder(const CheckpointRequest& request, Reporter& reporter,
                                    at::Device device);

}  // namespace fcm::tasks
