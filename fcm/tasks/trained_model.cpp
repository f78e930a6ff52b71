#include "fcm/tasks/trained_model.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "fcm/base/error.h"
#include "fcm/base/relative_table.h"
#include "fcm/encoder/registry.h"
#include "fcm/interop/architecture.h"
#include "fcm/interop/downstream.h"
#include "fcm/interop/downstream_recipe.h"
#include "fcm/interop/facts.h"
#include "fcm/interop/load_any.h"
#include "fcm/interop/published_recipe.h"
#include "fcm/interop/tensor_roles.h"
#include "fcm/recipe/check.h"
#include "fcm/recipe/recipe.h"
#include "fcm/recipe/setup.h"
#include "fcm/tasks/fit_positions.h"
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

train::LoadRules rules_for(const Architecture& architecture, ModelUse use,
                           const std::vector<std::string>& allow_missing) {
  train::LoadRules rules;
  rules.missing = allow_missing;
  if (use == ModelUse::kFeatures) {
    // A decoder may be missing as a whole. If only some of its tensors are missing, the file is
    // damaged.
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
       "{} has no decoder, without which there are no reconstructions: missing: {}. Take "
       "the full file of the pretraining run",
       source, fmt::join(missing, ", "));
}

// Zeroes the layers that fuse stages if they are missing, so that their initial values do not
// change the features, and warns about missing tensors of the encoder. `left`: the parameters that
// kept initial values.
void zero_missing_fusion_and_warn(const std::vector<const nn::Parameter*>& left,
                                  const std::string& source, Reporter& reporter) {
  std::vector<std::string> names, norms;
  for (const nn::Parameter* parameter : left) {
    if (has_role(parameter->name, {TensorRole::kEncoderNorm})) {
      norms.push_back(parameter->name);
      continue;
    }
    if (has_role(parameter->name, {TensorRole::kFusion})) {
      const at::NoGradGuard no_grad;
      at::Tensor value = parameter->value;
      value.zero_();
    }
    const bool decoder = has_role(parameter->name, {TensorRole::kDecoder, TensorRole::kTarget});
    if (!decoder) names.push_back(parameter->name);
  }
  std::vector<std::string> said;
  if (!names.empty()) {
    said.push_back(fmt::format("{}: features are computed without them", fmt::join(names, ", ")));
  }
  if (!norms.empty()) {
    said.push_back(fmt::format(
        "{}: tokens are normalised without weight and bias, but the program that wrote the file "
        "may not normalise them at all",
        fmt::join(norms, ", ")));
  }
  if (said.empty()) return;
  reporter.warn(fmt::format("{} does not have {}", source, fmt::join(said, "; and not ")));
}

Architecture architecture_of(const Checkpoint& checkpoint) {
  const auto found = interop::recognise(checkpoint.model.tensors);
  if (!found) {
    fail(ExitCode::kCheckpoint, "{}",
         interop::why_unknown(checkpoint.model.tensors, checkpoint.path.string()));
  }
  return *found;
}

// Resizes the file's position tables to the model's images; the returned tensors own the values.
std::vector<at::Tensor> fit_tables(const models::MaskedAutoencoder& model, Checkpoint& checkpoint,
                                   Reporter& reporter) {
  const int64_t class_tokens = encoder::family(model.options().kind).class_tokens;
  const masks::Grid to = model.grid();
  std::vector<at::Tensor> resized_tensors;
  for (formats::TensorView& view : checkpoint.model.tensors) {
    at::Tensor fitted;
    if (view.name == "pos_embed" || view.name == "decoder_pos_embed") {
      if (view.shape.size() != 3) continue;
      const masks::Grid from = grid_of_positions(checkpoint, view.shape[1] - class_tokens);
      fitted = fit_positions(view, class_tokens, from, to);
      if (fitted.defined() && view.name == "pos_embed") {
        reporter.info(fmt::format("position embeddings of {} x {} patches resized to {} x {}",
                                  from.rows, from.cols, to.rows, to.cols));
      }
    } else if (view.name.ends_with(kRelativeTable)) {
      const auto& all = model.parameters().all();
      const auto own = std::ranges::find(all, view.name, &nn::Parameter::name);
      if (own != all.end()) fitted = fit_relative_table(view, own->published_shape[0]);
    }
    if (fitted.defined()) resized_tensors.push_back(std::move(fitted));
  }
  return resized_tensors;
}

}  // namespace

recipe::Recipe recipe_of(const Checkpoint& checkpoint, const std::vector<std::string>& overrides) {
  const std::string source = checkpoint.path.string();
  if (interop::is_downstream(checkpoint)) {
    return recipe::pretraining_of(interop::downstream_recipe(checkpoint, overrides));
  }
  const auto text = checkpoint.state.find("recipe");
  if (text != checkpoint.state.end()) {
    return recipe::pretraining_of(
        recipe::read_stored_recipe(text->get<std::string>(), source, overrides));
  }
  const Architecture architecture = architecture_of(checkpoint);
  interop::refuse_unsupported(checkpoint, overrides);
  return interop::published_recipe(architecture, checkpoint.state.value("args", nlohmann::json()),
                                   overrides, source, interop::facts_in(checkpoint));
}

void report_assumptions(const Checkpoint& checkpoint, const std::vector<std::string>& overrides,
                        ModelUse use, Reporter& reporter) {
  if (checkpoint.state.contains("recipe")) return;
  const std::vector<std::string> assumed =
      interop::is_downstream(checkpoint)
          ? interop::downstream_assumptions(checkpoint, overrides)
          : interop::assumptions(recipe_of(checkpoint, overrides), architecture_of(checkpoint),
                                 checkpoint.state.value("args", nlohmann::json()), overrides,
                                 interop::facts_in(checkpoint), use == ModelUse::kReconstruction);
  for (const std::string& sentence : assumed) {
    reporter.info(
        fmt::format("{} does not say, so this is assumed: {}", checkpoint.path.string(), sentence));
  }
  for (const std::string& note : interop::notes_in(interop::facts_in(checkpoint), overrides)) {
    reporter.info(fmt::format("{}: {}", checkpoint.path.string(), note));
  }
}

void refuse_not_finite(const nn::Parameters& parameters, const std::string& source) {
  for (const nn::Parameter& parameter : parameters.all()) {
    if (has_role(parameter.name, {TensorRole::kDecoder, TensorRole::kTarget})) continue;
    const int64_t bad = at::isfinite(parameter.value).logical_not().sum().item<int64_t>();
    if (bad == 0) continue;
    fail(ExitCode::kCheckpoint,
         "{}: {} of the {} values of {} are not finite, so every result would be meaningless; "
         "take an earlier checkpoint",
         source, bad, parameter.value.numel(), parameter.name);
  }
}

void report_average(const Checkpoint& checkpoint, Reporter& reporter) {
  const auto text = checkpoint.state.find("recipe");
  const std::string source = checkpoint.path.string();
  if (text == checkpoint.state.end() || source.find("::") != std::string::npos) return;
  const recipe::Recipe recipe = recipe::read_stored_recipe(text->get<std::string>(), source, {});
  if (recipe.is<recipe::Segment>() || recipe.is<recipe::Detect>()) return;
  const bool kept = recipe.is<recipe::Classify>() ? recipe.classify().classifier.ema_decay > 0
                                                  : recipe.pretrain().targets.ema > 0;
  const bool is_pth = checkpoint.format == "pth";
  if (!kept || (!is_pth && checkpoint.format != "native")) return;
  reporter.info(fmt::format("{}: uses the weights as they were trained; their EMA is {}::{}",
                            source, source, is_pth ? interop::kAverageKey : "ema"));
}

TrainedModel load_trained_model(const CheckpointRequest& request, ModelUse use, Reporter& reporter,
                                at::Device device) {
  Checkpoint checkpoint = interop::load_any(request.path, false, reporter);
  const std::string source = checkpoint.path.string();
  interop::refuse_downstream(checkpoint);
  const Architecture architecture = architecture_of(checkpoint);
  if (use == ModelUse::kReconstruction) refuse_without_decoder(architecture, source);
  TrainedModel trained;
  trained.recipe = recipe_of(checkpoint, request.set);
  recipe::check(trained.recipe);
  report_assumptions(checkpoint, request.set, use, reporter);
  if (use == ModelUse::kFeatures) report_average(checkpoint, reporter);
  trained.model = std::make_unique<models::MaskedAutoencoder>(
      recipe::autoencoder_options(trained.recipe), static_cast<uint64_t>(trained.recipe.run.seed),
      device);
  std::vector<at::Tensor> fitted;
  if (use == ModelUse::kFeatures) fitted = fit_tables(*trained.model, checkpoint, reporter);
  zero_missing_fusion_and_warn(
      train::load_model(trained.model->parameters(), checkpoint.model, source,
                        rules_for(architecture, use, request.allow_missing)),
      source, reporter);
  refuse_not_finite(trained.model->parameters(), source);
  trained.path = checkpoint.path;
  trained.step = checkpoint.step;
  trained.trained_on = stored_set(checkpoint.state, kTrainedOn);
  trained.pretrained_on = stored_set(checkpoint.state, kPretrainedOn);
  return trained;
}

}  // namespace fcm::tasks
