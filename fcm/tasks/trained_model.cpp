#include "fcm/tasks/trained_model.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>
#include <fnmatch.h>

#include <algorithm>

#include "fcm/base/error.h"
#include "fcm/interop/adapters.h"
#include "fcm/interop/load_any.h"
#include "fcm/interop/published_recipe.h"
#include "fcm/recipe/check.h"
#include "fcm/recipe/recipe.h"
#include "fcm/recipe/setup.h"
#include "fcm/train/state.h"

namespace fcm::tasks {
namespace {

using checkpoint::Checkpoint;
using interop::Architecture;

// Patterns of names, by what they are used for.
const std::vector<std::string> kDecoder = {"mask_token", "decoder_*", "reconstructors.*",
                                           "mimic.*"};
const std::vector<std::string> kNotInClassifiers = {"stage1_output_decode.*",
                                                    "stage2_output_decode.*", "norm.*"};
const std::vector<std::string> kOfClassifiers = {"head.*", "fc_norm.*"};

void append(std::vector<std::string>& list, const std::vector<std::string>& more) {
  list.insert(list.end(), more.begin(), more.end());
}

train::LoadRules rules_for(const Architecture& architecture, Needs needs,
                           const std::vector<std::string>& allow_missing) {
  train::LoadRules rules;
  rules.missing = allow_missing;
  if (needs == Needs::kFeatures) {
    // All of it or nothing: half a decoder is damage.
    if (!architecture.decoder) append(rules.missing, kDecoder);
    if (!architecture.decoder && !architecture.fuse) append(rules.missing, kNotInClassifiers);
    if (architecture.fc_norm && !architecture.norm) rules.missing.push_back("norm.*");
    append(rules.unexpected, kOfClassifiers);
    if (!architecture.decoder) append(rules.unexpected, kDecoder);
  }
  return rules;
}

void refuse_without_decoder(const Architecture& architecture, const std::string& source) {
  std::vector<std::string> missing;
  if (!architecture.mask_token) missing.push_back("mask_token");
  if (!architecture.decoder) missing.push_back("decoder_embed and all other decoder_* tensors");
  if (missing.empty()) return;
  fail(ExitCode::kCheckpoint,
       "{} has no decoder, without which there are no reconstructions to show: missing: {}. Take "
       "the full file of the pretraining run",
       source, fmt::join(missing, ", "));
}

bool is_of_decoder(const std::string& name) {
  return std::any_of(kDecoder.begin(), kDecoder.end(), [&](const std::string& pattern) {
    return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
  });
}

// A start value that would change features where the file has nothing to say.
void settle(const std::vector<const nn::Parameter*>& left, const std::string& source,
            Reporter& reporter) {
  std::vector<std::string> names;
  for (const nn::Parameter* parameter : left) {
    if (parameter->name.find("output_decode") != std::string::npos) {
      const at::NoGradGuard no_grad;
      at::Tensor value = parameter->value;
      value.zero_();
    }
    if (!is_of_decoder(parameter->name)) names.push_back(parameter->name);
  }
  if (names.empty()) return;
  reporter.warn(fmt::format("{} does not have {}; features are made without", source,
                            fmt::join(names, ", ")));
}

Architecture architecture_of(const Checkpoint& checkpoint) {
  const auto found = interop::recognise(checkpoint.model.tensors);
  if (!found) {
    fail(ExitCode::kCheckpoint,
         "{} holds no model that this program knows: there is neither patch_embed1.proj.weight "
         "(ConvMAE) nor patch_embed.proj.weight (MAE) among its {} tensors",
         checkpoint.path.string(), checkpoint.model.tensors.size());
  }
  return *found;
}

}  // namespace

recipe::Recipe recipe_of(const Checkpoint& checkpoint, const std::vector<std::string>& overrides) {
  const std::string source = checkpoint.path.string();
  const auto text = checkpoint.state.find("recipe");
  if (text != checkpoint.state.end()) {
    return recipe::pretraining_of(
        recipe::read_stored_recipe(text->get<std::string>(), source, overrides));
  }
  return interop::published_recipe(architecture_of(checkpoint),
                                   checkpoint.state.value("args", nlohmann::json()), overrides,
                                   source);
}

TrainedModel load_trained_model(const CheckpointRequest& request, Needs needs, Reporter& reporter,
                                at::Device device) {
  const Checkpoint checkpoint = interop::load_any(request.path, false, reporter);
  const std::string source = checkpoint.path.string();
  const Architecture architecture = architecture_of(checkpoint);
  if (needs == Needs::kPictures) refuse_without_decoder(architecture, source);
  TrainedModel trained;
  trained.recipe = recipe_of(checkpoint, request.set);
  recipe::check(trained.recipe);
  trained.model = std::make_unique<models::MaskedAutoencoder>(
      recipe::autoencoder_options(trained.recipe), static_cast<uint64_t>(trained.recipe.run.seed),
      device);
  settle(train::load_model(trained.model->parameters(), checkpoint.model, source,
                           rules_for(architecture, needs, request.allow_missing)),
         source, reporter);
  trained.path = checkpoint.path;
  trained.step = checkpoint.step;
  return trained;
}

}  // namespace fcm::tasks
