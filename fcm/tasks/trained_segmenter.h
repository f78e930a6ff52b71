// Loads segmenters from checkpoints.
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

// Whether the checkpoint is a segmenter, judged by the names of its tensors.
bool is_segmenter(const checkpoint::Checkpoint& checkpoint);

// Loads the weights of a segmenter from anything --checkpoint accepts. From a pretrained encoder or
// a classifier, only the encoder is used: the other parts of the segmenter (tables of relative
// positions, layer scales, layers that make its feature maps, heads) keep their initial values, and
// tensors that a segmenter does not have are dropped. From another segmenter, all tensors are used
// except conv_seg for other classes. Positions and tables are resized from the grid of the
// checkpoint. Throws Error(kCheckpoint), which lists everything else that is missing, unexpected or
// mis-shaped. `classes`: names of the classes to learn; empty: a head with the same number of
// classes is used.
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

// Loads a segmenter to `device`: a checkpoint of `finetune` with a segmentation recipe, which `set`
// may change, or an upstream segmenter (interop/segmenters.h). Throws Error(kCheckpoint) if the
// checkpoint is not a segmenter.
TrainedSegmenter load_segmenter(checkpoint::Checkpoint checkpoint,
                                const std::vector<std::string>& set, Reporter& reporter,
                                at::Device device = at::kCPU);

}  // namespace fcm::tasks
