// A model out of a checkpoint, with the recipe it was trained by.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fcm/base/reporter.h"
#include "fcm/checkpoint/checkpoint.h"
#include "fcm/models/masked_autoencoder.h"
#include "fcm/recipe/recipe.h"
#include "fcm/tasks/picture_set.h"
#include "fcm/tasks/tasks.h"

namespace fcm::tasks {

struct TrainedModel {
  recipe::Recipe recipe;
  std::unique_ptr<models::MaskedAutoencoder> model;
  std::filesystem::path path;  // of the checkpoint that was taken
  int64_t step = 0;
  std::optional<PictureSet> trained_on, pretrained_on;  // nullopt: it does not say
};

// What the weights are for. Features need the encoder alone: a decoder may be missing, and so may
// what a classifier has not (the convolutions that fuse stages, which then add nothing, and the
// last norm, which then only normalises); a classifier's head is left out. They may be of images
// of another size than the checkpoint's, for which positions are resized.
enum class Needs { kFeatures, kPictures };

// On `device`. Throws Error(kCheckpoint), which names everything missing, unexpected or of another
// shape.
TrainedModel load_trained_model(const CheckpointRequest& request, Needs needs, Reporter& reporter,
                                at::Device device = at::kCPU);
// The recipe that a checkpoint carries, or one made of its tensors' sizes; `overrides` on top.
// Throws Error(kCheckpoint) for weights of a network that this program does not have.
recipe::Recipe recipe_of(const checkpoint::Checkpoint& checkpoint,
                         const std::vector<std::string>& overrides);

// Says what recipe_of had to assume for such a use, a line each; nothing of a carried recipe.
void say_assumptions(const checkpoint::Checkpoint& checkpoint,
                     const std::vector<std::string>& overrides, Needs needs, Reporter& reporter);

// Throws Error(kCheckpoint) where a weight of an encoder or a head is NaN or infinite.
void refuse_not_finite(const nn::Parameters& parameters, const std::string& source);

// Says that the raw weights of a run that keeps a moving average were taken, and how to take that.
void say_average(const checkpoint::Checkpoint& checkpoint, Reporter& reporter);

}  // namespace fcm::tasks
