// Detectors out of checkpoints.
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
#include "fcm/tasks/picture_set.h"

namespace fcm::tasks {

// Fills a detector from whatever --checkpoint may name. After a pretrained encoder or a classifier
// the rest of a detector keeps its start (tables, pyramid, heads), and what detectors do not have
// is left out. Another detector gives all it has, except what is of classes where it is for other
// ones. Positions and tables are resized from the grid of the checkpoint. Everything else that is
// missing, surplus or of another shape is listed in Error(kCheckpoint). `classes`: names of those
// that are learned; empty: as many are taken as they are.
void load_detector_start(models::Detector& model, checkpoint::Checkpoint checkpoint,
                         const std::vector<std::string>& allow_missing, Reporter& reporter,
                         const std::vector<std::string>& classes);

struct TrainedDetector {
  recipe::Recipe recipe;
  std::unique_ptr<models::Detector> model;
  eval::FindObjects find;                               // needs `model`
  std::optional<PictureSet> trained_on, pretrained_on;  // nullopt: it does not say

  int64_t classes() const { return model->options().classes; }
};

// A checkpoint that `finetune` wrote for a recipe of detection, which `set` may change, or a
// published one (interop/detectors.h). On `device`. Throws Error(kCheckpoint) where there is no
// detector in it.
TrainedDetector load_detector(checkpoint::Checkpoint checkpoint,
                              const std::vector<std::string>& set, Reporter& reporter,
                              at::Device device = at::kCPU);

// What the model finds in frames, by a recipe.
eval::FindObjects finder_of(const models::Detector& model, const recipe::Recipe& recipe);

}  // namespace fcm::tasks
