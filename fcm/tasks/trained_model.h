// A model out of a checkpoint, with the recipe it was trained by.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "fcm/base/reporter.h"
#include "fcm/checkpoint/checkpoint.h"
#include "fcm/models/masked_autoencoder.h"
#include "fcm/recipe/recipe.h"
#include "fcm/tasks/tasks.h"

namespace fcm::tasks {

struct TrainedModel {
  recipe::Recipe recipe;
  std::unique_ptr<models::MaskedAutoencoder> model;
  std::filesystem::path path;  // of the checkpoint that was taken
  int64_t step = 0;
};

// What the weights are for. Features need the encoder alone: a decoder may be missing, and so may
// what a classifier has not (the convolutions that fuse stages, which then add nothing, and the
// last norm, which then only normalises); a classifier's head is left out.
enum class Needs { kFeatures, kPictures };

// On `device`. Throws Error(kCheckpoint), which names everything missing, unexpected or of another
// shape.
TrainedModel load_trained_model(const CheckpointRequest& request, Needs needs, Reporter& reporter,
                                at::Device device = at::kCPU);

// The recipe that a checkpoint carries, or one made of its tensors' sizes; `overrides` on top.
recipe::Recipe recipe_of(const checkpoint::Checkpoint& checkpoint,
                         const std::vector<std::string>& overrides);

}  // namespace fcm::tasks
