#include "fcm/tasks/checkpoint_encoder.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/interop/architecture.h"
#include "fcm/interop/downstream.h"
#include "fcm/interop/downstream_recipe.h"
#include "fcm/interop/facts.h"
#include "fcm/tasks/trained_model.h"

namespace fcm::tasks {
namespace {

using checkpoint::Checkpoint;
using interop::Downstream;

// Recipe keys of an encoder with their values as text. Messages about a difference name the first
// kAlwaysSaid keys even if they are equal.
using Facts = std::vector<std::pair<const char*, std::string>>;
constexpr size_t kAlwaysSaid = 3;

template <typename T>
std::string list(const std::vector<T>& values) {
  return fmt::format("[{}]", fmt::join(values, ", "));
}

Facts facts_of(const std::string& kind, const encoder::EncoderOptions& encoder, int64_t channels,
               bool with_epsilon) {
  return {
      {"model.kind", fmt::format("\"{}\"", kind)},
      {"encoder.dims", list(encoder.dims)},
      {"encoder.depths", list(encoder.depths)},
      {"encoder.strides", list(encoder.strides)},
      {"encoder.heads", encoder.heads.values.size() == 1 ? fmt::format("{}", encoder.heads.last())
                                                         : list(encoder.heads.values)},
      {"encoder.mlp_ratios", list(encoder.mlp_ratios)},
      {"encoder.norm_epsilon", with_epsilon ? fmt::format("{}", encoder.norm_epsilon) : ""},
      {"data.channels", fmt::format("{}", channels)}};
}

// Whether the recipe trains a segmenter or a detector. These take the epsilon of their encoder's
// norms from the recipe, even if its other values come from the checkpoint.
bool is_of_downstream(const recipe::Recipe& recipe) {
  return recipe.is<recipe::Segment>() || recipe.is<recipe::Detect>();
}

// Whether the epsilon of the norms must be the same as in pretraining. In upstream's programs it
// changes when GreenMIM's Swin is fine-tuned, and when ConvMAE is trained as a segmenter or
// detector.
bool keeps_epsilon(const recipe::Recipe& recipe) {
  return recipe.model.kind != "swin" && !is_of_downstream(recipe);
}

// The value of a key in the facts that files next to the weights state (interop/facts.h), or
// `otherwise`.
template <typename T>
T stated_value(const Checkpoint& checkpoint, const char* key, const T& otherwise) {
  return interop::facts_in(checkpoint)
      .value("keys", nlohmann::json::object())
      .value(key, otherwise);
}

// The checkpoint's encoder; empty if it is unknown. The number of heads cannot be derived from
// tensors: without a recipe or a file next to the weights, that of `ours` is assumed. The epsilon
// of `ours` is assumed as well; say_other_values warns if files next to the weights state another.
Facts facts_of(const Checkpoint& checkpoint, const recipe::Recipe& for_recipe) {
  const encoder::EncoderOptions& ours = for_recipe.encoder;
  const bool with_epsilon = keeps_epsilon(for_recipe);
  if (checkpoint.state.contains("recipe")) {
    const recipe::Recipe recipe = recipe_of(checkpoint, {});
    return facts_of(recipe.model.kind, recipe.encoder, recipe.data.channels, with_epsilon);
  }
  const std::vector<formats::TensorView>& tensors = checkpoint.model.tensors;
  const auto found = interop::is_downstream(checkpoint) ? interop::downstream_encoder(checkpoint)
                                                        : interop::recognise(tensors);
  if (!found) return {};
  encoder::EncoderOptions encoder = found->encoder;
  if (encoder.heads.last() == 0) {
    encoder.heads = stated_value(checkpoint, "encoder.heads", ours.heads.last());
  }
  encoder.norm_epsilon = ours.norm_epsilon;
  return facts_of(found->kind, encoder, found->channels, with_epsilon);
}

void refuse_other_encoder(const recipe::Recipe& recipe, const Checkpoint& checkpoint) {
  const Facts theirs = facts_of(checkpoint, recipe);
  const Facts ours =
      facts_of(recipe.model.kind, recipe.encoder, recipe.data.channels, keeps_epsilon(recipe));
  if (theirs.empty() || theirs == ours) return;
  std::vector<std::string> there, here;
  for (size_t i = 0; i < ours.size(); ++i) {
    if (i >= kAlwaysSaid && ours[i] == theirs[i]) continue;
    there.push_back(fmt::format("{} = {}", theirs[i].first, theirs[i].second));
    here.push_back(fmt::format("{} = {}", ours[i].first, ours[i].second));
  }
  fail(ExitCode::kUsage,
       "the encoder in {} has {}, the recipe {} has {}; take the checkpoint's with --set "
       "encoder.size=checkpoint, or a recipe of that encoder",
       checkpoint.path.string(), fmt::join(there, ", "), recipe.row.name, fmt::join(here, ", "));
}

// Warns about values of the recipe that differ from those that files next to the weights state. The
// recipe's values are used. A checkpoint that holds a recipe is not compared.
void say_other_values(const recipe::Recipe& recipe, const Checkpoint& checkpoint,
                      Reporter& reporter) {
  if (checkpoint.state.contains("recipe")) return;
  const auto say = [&](const char* key, const auto& ours) {
    const auto theirs = stated_value(checkpoint, key, ours);
    if (theirs == ours) return;
    reporter.warn(fmt::format(
        "{} was trained with {} = {}, the recipe {} has {}: change the recipe, or use all values "
        "of the checkpoint's encoder with --set encoder.size=checkpoint",
        checkpoint.path.string(), key, nlohmann::json(theirs).dump(), recipe.row.name,
        nlohmann::json(ours).dump()));
  };
  say("data.mean", recipe.data.mean);
  say("data.deviation", recipe.data.stddev);
  say("data.interpolation", recipe.data.interpolation);
  if (keeps_epsilon(recipe)) say("encoder.norm_epsilon", recipe.encoder.norm_epsilon);
}

// Reports if files next to a classifier's weights state another crop for evaluation. The crop is
// not part of the encoder, so the recipe's value is used.
void say_other_crop(const recipe::Recipe& recipe, const Checkpoint& checkpoint,
                    Reporter& reporter) {
  if (checkpoint.state.contains("recipe") || !recipe.is<recipe::Classify>()) return;
  const double ours = recipe.classify().classifier.eval_crop;
  const double theirs = interop::facts_in(checkpoint).value("eval_crop", ours);
  if (std::abs(theirs - ours) < 1e-3) return;
  reporter.info(
      fmt::format("{} was evaluated with classifier.eval_crop = {}, the recipe {} has {} (--set "
                  "classifier.eval_crop={})",
                  checkpoint.path.string(), theirs, recipe.row.name, ours, theirs));
}

void refuse_no_downstream_on(const recipe::Recipe& theirs, const recipe::Recipe& wanted,
                             const Checkpoint& checkpoint) {
  const std::string& kind = theirs.model.kind;
  const bool segments = wanted.is<recipe::Segment>();
  if (segments && kind != "conv_vit" && kind != "vit") {
    fail(ExitCode::kCheckpoint,
         "{} holds a {}, on which there is no published segmenter; take the checkpoint of a "
         "conv_vit or a vit",
         checkpoint.path.string(), kind);
  }
  if (theirs.data.channels == 3) return;
  fail(ExitCode::kCheckpoint,
       "{} was trained on grey images (data.channels = {}), and {} needs images in colour; take "
       "a checkpoint that was trained on those",
       checkpoint.path.string(), theirs.data.channels, segments ? "a segmenter" : "a detector");
}

// The assignments of `set` to keys whose values otherwise come from the checkpoint.
std::vector<std::string> of_encoder(const std::vector<std::string>& set) {
  constexpr std::array kKeys = {"model.kind=", "encoder.",
                                "data.channels=", "data.mean=", "data.deviation="};
  std::vector<std::string> kept;
  for (const std::string& assignment : set) {
    const bool of_it = std::any_of(kKeys.begin(), kKeys.end(),
                                   [&](const char* key) { return assignment.starts_with(key); });
    if (of_it && !assignment.starts_with("encoder.size=")) kept.push_back(assignment);
  }
  return kept;
}

}  // namespace

recipe::Recipe resolved_recipe(const FinetuneRequest& request, const Checkpoint* start,
                               Reporter& reporter) {
  recipe::Recipe recipe = request.recipe;
  const bool takes = recipe.encoder.size == "checkpoint";
  if (start == nullptr) {
    if (takes) recipe.encoder.size = "custom";
    return recipe;
  }
  interop::refuse_downstream(*start, recipe.is<recipe::Segment>()  ? Downstream::kSegmenter
                                     : recipe.is<recipe::Detect>() ? Downstream::kDetector
                                                                   : Downstream::kNone);
  report_average(*start, reporter);
  say_other_crop(recipe, *start, reporter);
  if (!takes) {
    interop::refuse_unsupported(*start, request.set);
    if (request.allow_missing.empty()) refuse_other_encoder(recipe, *start);
    say_other_values(recipe, *start, reporter);
    return recipe;
  }
  report_assumptions(*start, of_encoder(request.set), ModelUse::kFeatures, reporter);
  const recipe::Recipe theirs = recipe_of(*start, of_encoder(request.set));
  if (is_of_downstream(recipe)) refuse_no_downstream_on(theirs, recipe, *start);
  recipe.model.kind = theirs.model.kind;
  const double epsilon = recipe.encoder.norm_epsilon;
  recipe.encoder = theirs.encoder;
  if (is_of_downstream(recipe)) recipe.encoder.norm_epsilon = epsilon;
  recipe.data.channels = theirs.data.channels;
  recipe.data.mean = theirs.data.mean;
  recipe.data.stddev = theirs.data.stddev;
  reporter.info(fmt::format(
      "encoder of {}: {}, encoder.dims = {}, encoder.depths = {}, {} channels with mean {} and "
      "std {}",
      start->path.string(), recipe.model.kind, list(recipe.encoder.dims),
      list(recipe.encoder.depths), recipe.data.channels, list(recipe.data.mean),
      list(recipe.data.stddev)));
  return recipe;
}

}  // namespace fcm::tasks
