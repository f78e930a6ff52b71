// Loads classifiers from checkpoints.
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
#include "fcm/tasks/image_set.h"
#include "fcm/train/learners/probe.h"

namespace fcm::tasks {

// Loads the weights of a classifier from anything --checkpoint accepts. From a pretrained encoder,
// head and fc_norm keep their initial values. The decoder, the layers that fuse stages, a norm that
// this pooling does not use, and a head for other classes are dropped. Positions are resized
// (nn/positions.h) from the grid of the checkpoint's recipe, or without a recipe from a square
// grid. Throws Error(kCheckpoint), which lists everything else that is missing, unexpected or
// mis-shaped. `allow_missing`: more patterns of tensors that keep their initial values. `classes`:
// names of the classes to learn; empty: a head with the same number of classes is used.
void load_encoder(models::Classifier& model, checkpoint::Checkpoint checkpoint,
                  const std::vector<std::string>& allow_missing, Reporter& reporter,
                  const std::vector<std::string>& classes = {});

struct TrainedClassifier {
  recipe::Recipe recipe;
  std::unique_ptr<models::Classifier> model;         // nullptr: a probe
  std::shared_ptr<const train::ProbeLearner> probe;  // nullptr: not a probe
  int64_t classes = 0;
  eval::Predict predict;                              // uses `model` or `probe`
  std::optional<ImageSet> trained_on, pretrained_on;  // nullopt: unknown
};

// Loads a classifier to `device`: a checkpoint of `finetune` or `linprobe`, or an upstream
// classifier without a recipe. `set` changes its recipe, including the image size. If the recipe
// has an EMA of the weights (classifier.ema_decay), loads the EMA; a file without it is loaded with
// a warning. Throws Error(kCheckpoint) if the checkpoint is not a classifier.
TrainedClassifier load_classifier(checkpoint::Checkpoint checkpoint,
                                  const std::vector<std::string>& set, Reporter& reporter,
                                  at::Device device = at::kCPU);

}  // namespace fcm::tasks
