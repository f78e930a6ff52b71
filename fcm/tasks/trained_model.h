// A model loaded from a checkpoint, with the recipe it was trained with.
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
#include "fcm/tasks/image_set.h"
#include "fcm/tasks/tasks.h"

namespace fcm::tasks {

struct TrainedModel {
  recipe::Recipe recipe;
  std::unique_ptr<models::MaskedAutoencoder> model;
  std::filesystem::path path;  // of the loaded checkpoint
  int64_t step = 0;
  std::optional<ImageSet> trained_on, pretrained_on;  // nullopt: unknown
};

// The use of the weights. Features only need the encoder: a decoder may be missing, and so may what
// a classifier lacks (the convolutions that fuse stages, which then add nothing, and the last norm,
// which then only normalises); a classifier's head is dropped. Images may have another size than
// the checkpoint's; positions are resized.
enum class ModelUse { kFeatures, kReconstruction };

// On `device`. Throws Error(kCheckpoint) with everything missing, unexpected or mis-shaped.
TrainedModel load_trained_model(const CheckpointRequest& request, ModelUse use, Reporter& reporter,
                                at::Device device = at::kCPU);
// The recipe that a checkpoint carries, or one inferred from its tensors' sizes, with `overrides`.
// Throws Error(kCheckpoint) for weights of a network that this program does not support.
recipe::Recipe recipe_of(const checkpoint::Checkpoint& checkpoint,
                         const std::vector<std::string>& overrides);

// Reports what recipe_of had to assume for such a use, a line each; nothing if the recipe is
// carried.
void report_assumptions(const checkpoint::Checkpoint& checkpoint,
                        const std::vector<std::string>& overrides, ModelUse use,
                        Reporter& reporter);

// Throws Error(kCheckpoint) if a weight of an encoder or a head is NaN or infinite.
void refuse_not_finite(const nn::Parameters& parameters, const std::string& source);

// Reports that the raw weights of a run with an EMA are used, and how to select the EMA.
void report_average(const checkpoint::Checkpoint& checkpoint, Reporter& reporter);

}  // namespace fcm::tasks
