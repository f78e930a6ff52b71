// A model that trains in milliseconds, and images for it.
#pragma once

#include <numeric>
#include <vector>

#include "fcm/base/random.h"
#include "fcm/loader/loader.h"
#include "fcm/models/masked_autoencoder.h"
#include "fcm/recipe/recipe.h"
#include "fcm/recipe/setup.h"

namespace fcm::train {

inline recipe::Recipe small_recipe() {
  recipe::Recipe recipe;
  recipe.encoder = {"custom", {2, 2, 2}, {8, 12, 16}, {1, 1, 1}, 2, {2, 2, 2}};
  recipe.pretrain().decoder = {16, 1, 2, 2.0};
  recipe.data.image_size = {32, 32};
  recipe.optim.batch_size = 6;
  recipe.model.precision = "fp32";
  return recipe;
}

// Settings of small recipes with batch normalisation; the caller sets the task. Some gradients are
// zero up to rounding, such as that of a bias before a batch normalisation. The large epsilon of
// Adam keeps the steps along them small.
inline recipe::Recipe small_normalised_recipe() {
  const recipe::Recipe pretraining = small_recipe();
  recipe::Recipe recipe;
  recipe.model = pretraining.model;
  recipe.encoder = pretraining.encoder;
  recipe.optim = pretraining.optim;
  recipe.optim.epochs = 2;
  recipe.optim.warmup_epochs = 0;
  recipe.optim.epsilon = 1e-3;
  recipe.run.log_every_steps = 1;
  return recipe;
}

inline loader::Batch random_batch(const recipe::Recipe& recipe) {
  loader::Batch batch;
  batch.batch = batch.global_batch = recipe.optim.batch_size;
  batch.rows = recipe.data.image_size[0];
  batch.cols = recipe.data.image_size[1];
  batch.channels = recipe.data.channels;
  // Stripes of a random direction for each image: a pattern that a model can learn.
  for (int64_t i = 0; i < batch.batch; ++i) {
    KeyedRandom random(1, Purpose::kSynthetic, 0, static_cast<uint64_t>(i));
    const auto down = static_cast<int64_t>(random.below(40)),
               right = static_cast<int64_t>(random.below(40));
    for (int64_t row = 0; row < batch.rows; ++row) {
      for (int64_t place = 0; place < batch.cols * batch.channels; ++place) {
        batch.pixels_BHWC.push_back(
            static_cast<uint8_t>(row * down + place / batch.channels * right));
      }
    }
  }
  for (int64_t i = 0; i < batch.batch; ++i) batch.sample_ids.push_back(100 + i);
  return batch;
}

// A slice of a batch, as one of several ranks gets it.
inline loader::Batch slice_of(const loader::Batch& whole, int64_t first, int64_t count) {
  const int64_t bytes = whole.rows * whole.cols * whole.channels;
  std::vector<int64_t> places(static_cast<size_t>(count));
  std::iota(places.begin(), places.end(), first);
  loader::Batch slice = whole;
  slice.first = first;
  slice.batch = count;
  slice.pixels_BHWC = {whole.pixels_BHWC.begin() + first * bytes,
                       whole.pixels_BHWC.begin() + (first + count) * bytes};
  slice.sample_ids = {whole.sample_ids.begin() + first, whole.sample_ids.begin() + first + count};
  slice.targets.keep(places);
  return slice;
}

}  // namespace fcm::train
