// A classifier that trains in milliseconds, and labelled images for it.
#pragma once

#include "fcm/recipe/recipe.h"
#include "tests/train/small_model.h"

namespace fcm::train {

inline constexpr int64_t kClasses = 3;

inline recipe::Recipe small_finetune_recipe() {
  const recipe::Recipe pretraining = small_recipe();
  recipe::Recipe recipe;
  recipe.task = recipe::Classify{};
  recipe.model = pretraining.model;
  recipe.encoder = pretraining.encoder;
  recipe.data = pretraining.data;
  recipe.optim = pretraining.optim;
  recipe.classify().augment.smoothing = 0.1;
  return recipe;
}

inline loader::Batch labelled_batch(const recipe::Recipe& recipe) {
  loader::Batch batch = random_batch(recipe);
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < batch.batch; ++i) labels.push_back(i % kClasses);
  batch.targets = loader::Targets(std::move(labels));
  return batch;
}

}  // namespace fcm::train
