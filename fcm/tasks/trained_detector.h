// Loads detectors from checkpoints.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fcm/base/reporter.h"
#include "fcm/checkpoint/checkpoint.h"
#include "fcm/eval/detection_accuracy.h"
#include "fcm/models/detector.h"
#include "fcm/recipe/recipe.h"
#include "fcm/tasks/image_set.h"

namespace fcm::tasks {

// Loads the weights of a detector from anything --checkpoint accepts. From a pretrained encoder or
// a classifier, only the encoder is used: the other parts of the detector (tables of relative
// positions, pyramid, heads) keep their initial values, and tensors that a detector does not have
// are dropped. From another detector, all tensors are used except heads for other classes.
// Positions and tables are resized from the grid of the checkpoint. Throws Error(kCheckpoint),
// which lists everything else that is missing, unexpected or mis-shaped. `classes`: names of the
// classes to learn; empty: heads with the same number of classes are used.
void load_detector_start(models::Detector& model, checkpoint::Checkpoint checkpoint,
                         const std::vector<std::string>& allow_missing, Reporter& reporter,
                         const std::vector<std::string>& classes);

struct TrainedDetector {
  recipe::Recipe recipe;
  std::unique_ptr<models::Detector> model;
  eval::FindObjects find;                             // uses `model`
  std::optional<ImageSet> trained_on, pretrained_on;  // nullopt: unknown

  int64_t classes() const { return model->options().classes; }
};

// Loads a detector to `device`: a checkpoint of `finetune` with a detection recipe, which `set` may
// change, or an upstream detector (interop/detectors.h). Throws Error(kCheckpoint) if the
// checkpoint is not a detector.
TrainedDetector load_detector(checkpoint::Checkpoint checkpoint,
                              const std::vector<std::string>& set, Reporter& reporter,
                              at::Device device = at::kCPU);

// A function that detects objects in frames with `model` as the recipe says.
eval::FindObjects finder_of(const models::Detector& model, const recipe::Recipe& recipe);

}  // namespace fcm::tasks
