// A segmenter that trains in milliseconds, and scenes for it.
#pragma once

#include <memory>

#include "fcm/recipe/setup.h"
#include "fcm/train/learners/segment.h"
#include "tests/loader/scene_support.h"
#include "tests/train/small_model.h"

namespace fcm::train {

inline constexpr int64_t kScenes = 24, kClassesOfScenes = 5;

// Four steps of six make an epoch. A gradient that is nothing but rounding, as of the bias in front
// of a batch normalisation, makes no step of Adam's because of this epsilon.
inline recipe::Recipe small_segmenter_recipe() {
  const recipe::Recipe pretraining = small_recipe();
  recipe::Recipe recipe;
  recipe.task = recipe::Segment{};
  recipe.model = pretraining.model;
  recipe.encoder = pretraining.encoder;
  recipe.data = test::scene_options().data;
  recipe.segment().pipeline = test::scene_options().pipeline;
  recipe::SegmenterSection& section = recipe.segment().segmenter;
  section.classes = kClassesOfScenes;
  section.channels = 8;
  section.aux_channels = 6;
  section.drop_path = 0.2;
  section.layer_decay = 0.75;
  recipe.optim = pretraining.optim;
  recipe.optim.epochs = 2;
  recipe.optim.warmup_epochs = 0;
  recipe.optim.base_lr = 0.05;
  recipe.optim.epsilon = 1e-3;
  recipe.run.log_every_steps = 1;
  return recipe;
}

inline models::Segmenter small_segmenter(const recipe::Recipe& recipe) {
  return models::Segmenter(recipe::segmenter_options(recipe, kClassesOfScenes), 3);
}

inline std::shared_ptr<const loader::Dataset> small_scenes() {
  return std::make_shared<test::DrawnScenes>(kScenes);
}

// The first batch that such a learner is given.
inline loader::Batch first_scenes(const recipe::Recipe& recipe) {
  return loader::Loader(test::scenes_request(small_scenes(), recipe.optim.batch_size, 1)).next();
}

}  // namespace fcm::train
