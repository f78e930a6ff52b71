// A segmenter that trains in milliseconds, and scenes for it.
#pragma once

#include <memory>

#include "fcm/recipe/setup.h"
#include "fcm/train/learners/segment.h"
#include "tests/loader/scene_support.h"
#include "tests/train/small_model.h"

namespace fcm::train {

inline constexpr int64_t kScenes = 24, kClassesOfScenes = 5;

// An epoch is four steps of six images.
inline recipe::Recipe small_segmenter_recipe() {
  recipe::Recipe recipe = small_normalised_recipe();
  recipe.task = recipe::Segment{};
  recipe.data = test::scene_options().data;
  recipe.segment().pipeline = test::scene_options().pipeline;
  recipe::SegmenterSection& section = recipe.segment().segmenter;
  section.classes = kClassesOfScenes;
  section.channels = 8;
  section.aux_channels = 6;
  section.drop_path = 0.2;
  section.layer_decay = 0.75;
  recipe.optim.base_lr = 0.05;
  return recipe;
}

inline models::Segmenter small_segmenter(const recipe::Recipe& recipe) {
  return models::Segmenter(recipe::segmenter_options(recipe, kClassesOfScenes), 3);
}

inline std::shared_ptr<const loader::Dataset> small_scenes() {
  return std::make_shared<test::DrawnScenes>(kScenes);
}

// The first batch of a run with this recipe.
inline loader::Batch first_scenes(const recipe::Recipe& recipe) {
  return loader::Loader(test::scenes_request(small_scenes(), recipe.optim.batch_size, 1)).next();
}

}  // namespace fcm::train
