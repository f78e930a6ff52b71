// A model that trains in milliseconds, and pictures for it.
#pragma once

#include "fcm/base/random.h"
#include "fcm/loader/loader.h"
#include "fcm/models/masked_autoencoder.h"
#include "fcm/train/recipe.h"
#include "fcm/train/setup.h"

namespace fcm::train {

inline Recipe small_recipe() {
  Recipe recipe;
  recipe.encoder = {"custom", {2, 2, 2}, {8, 12, 16}, {1, 1, 1}, 2, {2, 2, 2}};
  recipe.decoder = {16, 1, 2, 2.0};
  recipe.data.image_size = {32, 32};
  recipe.optim.batch_size = 6;
  recipe.model.precision = "fp32";
  return recipe;
}

inline loader::Batch random_batch(const Recipe& recipe) {
  loader::Batch batch;
  batch.batch = recipe.optim.batch_size;
  batch.rows = recipe.data.image_size[0];
  batch.cols = recipe.data.image_size[1];
  batch.channels = recipe.data.channels;
  KeyedRandom random(1, Purpose::kSynthetic, 0, 0);
  batch.pixels_BHWC.resize(
      static_cast<size_t>(batch.batch * batch.rows * batch.cols * batch.channels));
  for (uint8_t& value : batch.pixels_BHWC) value = static_cast<uint8_t>(random.below(256));
  for (int64_t i = 0; i < batch.batch; ++i) batch.sample_ids.push_back(100 + i);
  return batch;
}

}  // namespace fcm::train
