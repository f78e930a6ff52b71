// A model out of a checkpoint, with the recipe it was trained by.
#pragma once

#include <filesystem>
#include <memory>

#include "fcm/base/reporter.h"
#include "fcm/models/masked_autoencoder.h"
#include "fcm/train/recipe.h"

namespace fcm::tasks {

struct TrainedModel {
  train::Recipe recipe;
  std::unique_ptr<models::MaskedAutoencoder> model;
  std::filesystem::path path;  // of the checkpoint that was taken
  int64_t step = 0;
};

// `path`: a checkpoint folder or a run folder. Throws Error(kCheckpoint).
TrainedModel load_trained_model(const std::filesystem::path& path, Reporter& reporter);

}  // namespace fcm::tasks
