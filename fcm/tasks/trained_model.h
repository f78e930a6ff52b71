// Loads a model from a checkpoint, with the recipe it was trained with.
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

// The use of the weights. kFeatures needs only the encoder:
// - The decoder may be missing.
// - The layers that fuse stages may be missing, as in a classifier; they then add zero. The last
//   norm may be missing as well; it then normalises without weight and bias.
// - A classifier's head is dropped.
// - Images may have another size than the checkpoint's; positions are resized.
enum class ModelUse { kFeatures, kReconstruction };

// Loads a model to `device`. Throws Error(kCheckpoint), which lists all missing, unexpected and
// mis-shaped tensors.
TrainedModel load_trained_model(const CheckpointRequest& request, ModelUse use, Reporter& reporter,
                                at::Device device = at::kCPU);
// The recipe that a checkpoint carries, or one inferred from its tensors and the facts stored with
// them, with `overrides`. It is always a pretraining recipe, for the encoder of the checkpoint.
// Throws Error(kCheckpoint) for weights of a network that this program does not support.
recipe::Recipe recipe_of(const checkpoint::Checkpoint& checkpoint,
                         const std::vector<std::string>& overrides);

// Reports what recipe_of had to assume for this use, one line each; nothing if the checkpoint has a
// recipe.
void report_assumptions(const checkpoint::Checkpoint& checkpoint,
                        const std::vector<std::string>& overrides, ModelUse use,
                        Reporter& reporter);

// Throws Error(kCheckpoint) if a weight of an encoder or a head is NaN or infinite.
void refuse_not_finite(const nn::Parameters& parameters, const std::string& source);

// Reports that the raw weights of a run with an EMA are used, and how to select the EMA.
void report_average(const checkpoint::Checkpoint& checkpoint, Reporter& reporter);

}  // namespace fcm::tasks
