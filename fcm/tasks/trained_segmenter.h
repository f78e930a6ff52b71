// Segmenters loaded from checkpoints.
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
#include "fcm/tasks/image_set.h"

namespace fcm::tasks {

// Whether the weights are a segmenter's, by their names.
bool is_segmenter(const checkpoint::Checkpoint& checkpoint);

// Fills a segmenter from anything --checkpoint accepts. After a pretrained encoder or a classifier
// the other parts of a segmenter keep their initial values (tables, layer scales, the fourth map,
// heads), and what segmenters do not have is dropped. From another segmenter everything is used,
// except conv_seg for other classes. Positions and tables are resized from the grid of the
// checkpoint. Everything else that is missing, unexpected or mis-shaped is listed in
// Error(kCheckpoint). `classes`: names of the classes to learn; empty: a head with the same number
// of classes is used.
void load_segmenter_start(models::Segmenter& model, checkpoint::Checkpoint checkpoint,
                          const std::vector<std::string>& allow_missing, Reporter& reporter,
                          const std::vector<std::string>& classes);

struct TrainedSegmenter {
  recipe::Recipe recipe;
  std::unique_ptr<models::Segmenter> model;
  eval::WindowLogits logits;                          // uses `model`
  std::optional<ImageSet> trained_on, pretrained_on;  // nullopt: unknown

  int64_t classes() const { return model->options().classes; }
};

// Loads a checkpoint of `finetune` with a segmentation recipe, which `set` may change, or an
// upstream one (interop/segmenters.h). On `device`. Throws Error(kCheckpoint) if it is not a
// segmenter.
TrainedSegmenter load_segmenter(checkpoint::Checkpoint checkpoint,
                                const std::vector<std::string>& set, Reporter& reporter,
                                at::Device device = at::kCPU);

}  // namespace fcm::tasks
