// One update of a classifier, and its answers.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "fcm/loader/loader.h"
#include "fcm/models/classifier.h"
#include "fcm/optim/adamw.h"
#include "fcm/train/finetune_recipe.h"
#include "fcm/train/step.h"

namespace fcm::train {

// Erasing, mixup and cutmix, drop path, forward and backward over micro-batches, then one AdamW
// update at `lr`. The loss is the cross-entropy with targets smoothed and mixed as [augment] says.
// A loss or gradient that is not finite leaves weights and moments untouched. Throws Error(kData)
// for a picture without a label.
StepResult update(models::Classifier& model, optim::AdamW& optimizer, const loader::Batch& batch,
                  const FinetuneRecipe& recipe, at::ScalarType compute, int64_t micro_batch,
                  double lr);

// Logits [B, classes], float32, of a batch as it was loaded. Makes no graph.
at::Tensor logits_of(const models::Classifier& model, const loader::Batch& batch,
                     const loader::DataOptions& options, at::ScalarType compute);

}  // namespace fcm::train
