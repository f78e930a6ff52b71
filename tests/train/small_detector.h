// A detector that trains quickly, and images with objects for it.
#pragma once

#include <memory>

#include "fcm/recipe/setup.h"
#include "fcm/train/learners/detect.h"
#include "tests/loader/frame_support.h"
#include "tests/train/small_model.h"

namespace fcm::train {

inline constexpr int64_t kObjectImages = 24, kClassesOfObjects = 3;

// An epoch is four steps of six images.
inline recipe::Recipe small_detector_recipe() {
  recipe::Recipe recipe = small_normalised_recipe();
  recipe.task = recipe::Detect{};
  recipe.encoder.strides = {2, 2, 2};
  recipe.encoder.dims = {8, 12, 16};
  recipe.encoder.depths = {1, 1, 2};
  recipe.encoder.heads = 2;
  recipe.encoder.mlp_ratios = {2, 2, 2};
  recipe.data = test::frame_options(64).data;
  recipe::DetectorSection& section = recipe.detect().detector;
  section.window = 4;
  section.global_blocks = {1};
  section.channels = 8;
  section.box_features = 16;
  section.drop_path = 0.2;
  section.sampled_anchors = 32;
  section.proposals_before_nms = {60, 40};
  section.proposals = {20, 20};
  section.sampled_regions = 16;
  recipe.detect().jitter.scale_range = {0.8, 1.25};
  recipe.optim.schedule = "step_cosine";
  recipe.optim.base_lr = 0.02;
  return recipe;
}

inline models::Detector small_detector(const recipe::Recipe& recipe) {
  return models::Detector(recipe::detector_options(recipe, kClassesOfObjects), 3);
}

inline std::shared_ptr<const loader::Dataset> small_objects() {
  return std::make_shared<test::DrawnObjects>(kObjectImages);
}

// The first batch of a run with this recipe.
inline loader::Batch first_objects(const recipe::Recipe& recipe) {
  loader::LoaderRequest request;
  request.dataset = small_objects();
  request.data = recipe.data;
  request.batch_size = recipe.optim.batch_size;
  request.targets = loader::TargetKind::kInstances;
  request.jitter = recipe.detect().jitter;
  return loader::Loader(std::move(request)).next();
}

}  // namespace fcm::train
