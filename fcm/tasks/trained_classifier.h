// Classifiers out of checkpoints.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fcm/base/reporter.h"
#include "fcm/checkpoint/checkpoint.h"
#include "fcm/eval/classifier_accuracy.h"
#include "fcm/loader/dataset.h"
#include "fcm/loader/loader.h"
#include "fcm/models/classifier.h"
#include "fcm/recipe/recipe.h"
#include "fcm/tasks/picture_set.h"
#include "fcm/train/learners/probe.h"

namespace fcm::tasks {

// Fills a classifier from whatever --checkpoint may name. Of a pretrained one the head and fc_norm
// are missing and keep their start; the decoder, the convolutions that fuse stages, and a norm that
// this pooling does not use are left out. A head for other classes is left out too. Positions are
// resized (nn/positions.h) from the grid of the checkpoint's recipe, or from a square where it has
// none. Everything else that is missing, surplus or of another shape is listed in
// Error(kCheckpoint). `allow_missing`: more patterns of tensors that keep their start. `classes`:
// names of those that are learned; empty: a head of their number is taken as it is.
void load_encoder(models::Classifier& model, checkpoint::Checkpoint checkpoint,
                  const std::vector<std::string>& allow_missing, Reporter& reporter,
                  const std::vector<std::string>& classes = {});

struct TrainedClassifier {
  recipe::Recipe recipe;
  std::unique_ptr<models::Classifier> model;         // nullptr: a probe
  std::shared_ptr<const train::ProbeLearner> probe;  // nullptr: a classifier
  int64_t classes = 0;
  eval::Predict predict;                                // needs `model`
  std::optional<PictureSet> trained_on, pretrained_on;  // nullopt: it does not say
};

// A checkpoint that `finetune` or `linprobe` wrote, whose recipe `set` may change: images of
// another size included; or a published classifier without a recipe. Where the recipe has a moving
// average of the weights (classifier.ema_decay), it is what is loaded; a file of weights alone
// gives those, with a warning. On `device`. Throws Error(kCheckpoint) where there is no classifier
// in it.
TrainedClassifier load_classifier(checkpoint::Checkpoint checkpoint,
                                  const std::vector<std::string>& set, Reporter& reporter,
                                  at::Device device = at::kCPU);

}  // namespace fcm::tasks
