// Classifiers out of checkpoints, and what they get right.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "fcm/base/reporter.h"
#include "fcm/checkpoint/checkpoint.h"
#include "fcm/loader/dataset.h"
#include "fcm/models/classifier.h"
#include "fcm/train/finetune_recipe.h"

namespace fcm::tasks {

// Fills a classifier from whatever --checkpoint may name. Of a pretrained one the head and fc_norm
// are missing and keep their start; the decoder, the convolutions that fuse stages, and a norm that
// this pooling does not use are left out. A head for other classes is left out too. Positions are
// resized (nn/positions.h) from the grid of the checkpoint's recipe, or from a square where it has
// none. Everything else that is missing, surplus or of another shape is listed in
// Error(kCheckpoint). `allow_missing`: more patterns of tensors that keep their start.
void load_encoder(models::Classifier& model, checkpoint::Checkpoint checkpoint,
                  const std::vector<std::string>& allow_missing, Reporter& reporter);

struct TrainedClassifier {
  train::FinetuneRecipe recipe;
  std::unique_ptr<models::Classifier> model;
  int64_t classes = 0;
};

// A checkpoint that `finetune` wrote, whose recipe `set` may change: pictures of another size
// included. Throws Error(kCheckpoint) where there is no classifier in it.
TrainedClassifier load_classifier(const std::string& path, const std::vector<std::string>& set,
                                  Reporter& reporter);

struct Evaluation {
  double top1 = 0, top5 = 0;  // percent
  double loss = 0;            // mean cross-entropy
  int64_t images = 0;
  std::vector<int64_t> confusion;  // [classes, classes]: true class, answer
};

// Every readable picture once, in their order, none twice: the same counts with any `batch_size`.
Evaluation evaluate(const models::Classifier& model, const train::FinetuneRecipe& recipe,
                    const std::shared_ptr<const loader::Dataset>& dataset, int64_t batch_size,
                    int64_t threads);

}  // namespace fcm::tasks
