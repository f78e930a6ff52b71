#include "fcm/tasks/trained_model.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include "fcm/base/error.h"
#include "fcm/interop/architecture.h"
#include "fcm/interop/load_any.h"
#include "fcm/interop/published_recipe.h"
#include "fcm/interop/tensor_roles.h"
#include "fcm/recipe/check.h"
#include "fcm/recipe/recipe.h"
#include "fcm/recipe/setup.h"
#include "fcm/train/state.h"

namespace fcm::tasks {
namespace {

using checkpoint::Checkpoint;
using interop::Architecture;
using interop::has_role;
using interop::patterns_of;
using interop::TensorRole;

void append(std::vector<std::string>& list, const std::vector<std::string>& more) {
  list.insert(list.end(), more.begin(), more.end());
}

train::LoadRules rules_for(const Architecture& architecture, Needs needs,
                           const std::vector<std::string>& allow_missing) {
  train::LoadRules rules;
  rules.missing = allow_missing;
  if (needs == Needs::kFeatures) {
    // All of it or nothing: half a decoder is damage.
    const std::vector<std::string> decoder =
        patterns_of({TensorRole::kDecoder, TensorRole::kTarget});
    const std::vector<std::string> norm = patterns_of({TensorRole::kEncoderNorm});
    if (!architecture.decoder) append(rules.missing, decoder);
    if (!architecture.decoder && !architecture.fuse) {
      append(rules.missing, patterns_of({TensorRole::kFusion}));
      append(rules.missing, norm);
    }
    if (architecture.fc_norm && !architecture.norm) append(rules.missing, norm);
    append(rules.unexpected, patterns_of({TensorRole::kHead, TensorRole::kHeadNorm}));
    if (!architecture.decoder) append(rules.unexpected, decoder);
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

// A start value that would change features where the file has nothing to say.
void settle(const std::vector<const nn::Parameter*>& left, const std::string& source,
            Reporter& reporter) {
  std::vector<std::string> names;
  for (const nn::Parameter* parameter : left) {
    if (has_role(parameter->name, {TensorRole::kFusion})) {
      const at::NoGradGuard no_grad;
      at::Tensor value = parameter->value;
      value.zero_();
    }
    const bool decoder = has_role(parameter->name, {TensorRole::kDecoder, TensorRole::kTarget});
    if (!decoder) names.push_back(parameter->name);
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
