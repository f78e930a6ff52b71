// Segmenters out of checkpoints.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fcm/base/reporter.h"
#include "fcm/checkpoint/checkpoint.h"
#include "fcm/eval/segmentation_accuracy.h"
#include "fcm/models/segmenter.h"
#include "fcm/recipe/recipe.h"
#include "fcm/tasks/picture_set.h"

namespace fcm::tasks {

// Whether the weights are a segmenter's, by their names.
bool is_segmenter(const checkpoint::Checkpoint& checkpoint);

// Fills a segmenter from whatever --checkpoint may name. After a pretrained encoder or a classifier
// the rest of a segmenter keeps its start (tables, scales of channels, the fourth map, heads), and
// what segmenters do not have is left out. Another segmenter gives all it has, except conv_seg
// where it is for other classes. Positions and tables are resized from the grid of the checkpoint.
// Everything else that is missing, surplus or of another shape is listed in Error(kCheckpoint).
// `classes`: names of those that are learned; empty: as many are taken as they are.
void load_segmenter_start(models::Segmenter& model, checkpoint::Checkpoint checkpoint,
                          const std::vector<std::string>& allow_missing, Reporter& reporter,
                          const std::vector<std::string>& classes);

struct TrainedSegmenter {
  recipe::Recipe recipe;
  std::unique_ptr<models::Segmenter> model;
  eval::WindowLogits logits;                            // needs `model`
  std::optional<PictureSet> trained_on, pretrained_on;  // nullopt: it does not say

  int64_t classes() const { return model->options().classes; }
};

// A checkpoint that `finetune` wrote for a recipe of segmentation, which `set` may change, or a
// published one (interop/segmenters.h). On `device`. Throws Error(kCheckpoint) where there is no
// segmenter in it.
TrainedSegmenter load_segmenter(checkpoint::Checkpoint checkpoint,
                                const std::vector<std::string>& set, Reporter& reporter,
                                at::Device device = at::kCPU);

}  // namespace fcm::tasks
