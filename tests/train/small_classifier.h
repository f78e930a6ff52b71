// A classifier that trains in milliseconds, and labelled pictures for it.
#pragma once

#include "fcm/train/finetune_recipe.h"
#include "tests/train/small_model.h"

namespace fcm::train {

inline constexpr int64_t kClasses = 3;

inline FinetuneRecipe small_finetune_recipe() {
  const Recipe pretraining = small_recipe();
  FinetuneRecipe recipe;
  recipe.model = pretraining.model;
  recipe.encoder = pretraining.encoder;
  recipe.data = pretraining.data;
  recipe.optim = pretraining.optim;
  recipe.augment.smoothing = 0.1;
  return recipe;
}

inline loader::Batch labelled_batch(const FinetuneRecipe& recipe) {
  loader::Batch batch = random_batch(encoder_recipe(recipe));
  for (int64_t i = 0; i < batch.batch; ++i) batch.labels.push_back(i % kClasses);
  return batch;
}

}  // namespace fcm::train
