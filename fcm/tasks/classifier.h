// Classifiers out of checkpoints, and what they get right.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "fcm/base/reporter.h"
#include "fcm/checkpoint/checkpoint.h"
#include "fcm/loader/dataset.h"
#include "fcm/loader/loader.h"
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

// Logits [B, classes], float32, on the CPU, of a batch of pictures as it was loaded.
using Answer = std::function<at::Tensor(const loader::Batch&)>;

struct TrainedClassifier {
  train::FinetuneRecipe recipe;
  std::unique_ptr<models::Classifier> model;  // nullptr: a probe, which is inside `answer`
  int64_t classes = 0;
  Answer answer;  // needs `model`
};

// A checkpoint that `finetune` or `linprobe` wrote, whose recipe `set` may change: pictures of
// another size included; or a published classifier without a recipe. Where the recipe has a moving
// average of the weights (classifier.ema_decay), it is what is loaded. On
// `device`. Throws Error(kCheckpoint)
// where there is no classifier in it.
TrainedClassifier load_classifier(const std::string& path, const std::vector<std::string>& set,
                                  Reporter& reporter, at::Device device = at::kCPU);

struct Evaluation {
  double top1 = 0, top5 = 0;  // percent
  double loss = 0;            // mean cross-entropy
  int64_t images = 0;         // measured
  int64_t unreadable = 0;     // left out
  int64_t classes = 0;
  std::vector<int64_t> confusion;  // [classes, classes]: true class, answer
};

// Every readable picture once, in their order, none twice: the same counts with any `batch_size`.
Evaluation evaluate(const Answer& answer, const train::FinetuneRecipe& recipe,
                    const std::shared_ptr<const loader::Dataset>& dataset, int64_t batch_size,
                    int64_t threads);

}  // namespace fcm::tasks
