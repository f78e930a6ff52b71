#include "fcm/tasks/trained_classifier.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>

#include "fcm/base/error.h"
#include "fcm/base/relative_table.h"
#include "fcm/encoder/registry.h"
#include "fcm/eval/accuracy.h"
#include "fcm/interop/architecture.h"
#include "fcm/interop/downstream.h"
#include "fcm/interop/facts.h"
#include "fcm/interop/load_any.h"
#include "fcm/interop/tensor_roles.h"
#include "fcm/loader/loader.h"
#include "fcm/loss/classification.h"
#include "fcm/models/inputs.h"
#include "fcm/recipe/check.h"
#include "fcm/recipe/setup.h"
#include "fcm/tasks/class_match.h"
#include "fcm/tasks/fit_positions.h"
#include "fcm/tasks/trained_model.h"
#include "fcm/train/learners/classify.h"
#include "fcm/train/state.h"

namespace fcm::tasks {
namespace {

using checkpoint::Checkpoint;
using formats::TensorView;
using interop::has_role;
using interop::patterns_of;
using interop::TensorRole;

// Resizes the file's position table to the classifier's grid; the returned tensor owns the values.
at::Tensor resize_positions(const models::Classifier& model, Checkpoint& checkpoint,
                            Reporter& reporter) {
  auto& tensors = checkpoint.model.tensors;
  const auto found = std::find_if(tensors.begin(), tensors.end(),
                                  [](const TensorView& view) { return view.name == "pos_embed"; });
  if (found == tensors.end() || found->shape.size() != 3) return {};
  const int64_t tokens = encoder::family(model.options().kind).class_tokens;
  const masks::Grid from = grid_of_positions(checkpoint, found->shape[1] - tokens),
                    to = model.grid();
  at::Tensor table = fit_positions(*found, tokens, from, to);
  if (table.defined()) {
    reporter.info(fmt::format("position embeddings of {} x {} patches resized to {} x {}",
                              from.rows, from.cols, to.rows, to.cols));
  }
  return table;
}

// Resizes the file's relative position tables to the classifier's windows; the returned tensors own
// the values.
std::vector<at::Tensor> resize_tables(const models::Classifier& model, Checkpoint& checkpoint,
                                      Reporter& reporter) {
  std::vector<at::Tensor> resized_tensors;
  for (const nn::Parameter& parameter : model.parameters().all()) {
    if (!parameter.name.ends_with(kRelativeTable)) continue;
    for (TensorView& view : checkpoint.model.tensors) {
      if (view.name != parameter.name) continue;
      at::Tensor table = fit_relative_table(view, parameter.published_shape[0]);
      if (table.defined()) resized_tensors.push_back(std::move(table));
    }
  }
  if (!resized_tensors.empty()) {
    reporter.info(fmt::format("{} tables of relative positions resized to windows of {} cells",
                              resized_tensors.size(), model.options().encoder.window));
  }
  return resized_tensors;
}

void drop_other_head(const models::Classifier& model, Checkpoint& checkpoint,
                     const std::vector<std::string>& classes, Reporter& reporter) {
  const TensorView* head = checkpoint.model.find("head.weight");
  const bool of_probe = checkpoint.model.find("head.1.weight") != nullptr;
  std::string why;
  if (head != nullptr && !head->shape.empty()) {
    why = why_other_head(checkpoint, head->shape[0], model.options().classes, classes, reporter);
  }
  if (why.empty() && !of_probe) return;
  if (!why.empty()) {
    reporter.warn(fmt::format("{} {}: a new head is trained", checkpoint.path.string(), why));
  }
  std::erase_if(checkpoint.model.tensors,
                [](const TensorView& view) { return has_role(view.name, {TensorRole::kHead}); });
}

}  // namespace

void load_encoder(models::Classifier& model, Checkpoint checkpoint,
                  const std::vector<std::string>& allow_missing, Reporter& reporter,
                  const std::vector<std::string>& classes) {
  // The norm that this pooling does not use.
  const TensorRole other_norm =
      model.pool() == heads::Pool::kMeanOfTokens ? TensorRole::kEncoderNorm : TensorRole::kHeadNorm;
  train::LoadRules rules{allow_missing, patterns_of({TensorRole::kFusion, TensorRole::kDecoder,
                                                     TensorRole::kTarget, other_norm})};
  const std::vector<std::string> head = patterns_of({TensorRole::kHead, TensorRole::kHeadNorm});
  rules.missing.insert(rules.missing.end(), head.begin(), head.end());
  drop_other_head(model, checkpoint, classes, reporter);
  const at::Tensor positions = resize_positions(model, checkpoint, reporter);
  const std::vector<at::Tensor> tables = resize_tables(model, checkpoint, reporter);
  train::load_model(model.parameters(), checkpoint.model, checkpoint.path.string(), rules);
  refuse_not_finite(model.parameters(), checkpoint.path.string());
}

namespace {

// Replaces the tensors of a checkpoint's model by their EMA. If the checkpoint has no EMA, keeps
// the weights and warns.
void take_average(Checkpoint& checkpoint, Reporter& reporter) {
  const std::string_view prefix = checkpoint::kEmaPrefix;
  std::vector<TensorView> average;
  for (TensorView view : checkpoint.optimizer.tensors) {
    if (!view.name.starts_with(prefix)) continue;
    view.name.erase(0, prefix.size());
    average.push_back(std::move(view));
  }
  if (average.empty()) {
    reporter.warn(
        fmt::format("{} does not have the EMA of the weights: the weights themselves are used",
                    checkpoint.path.string()));
  } else {
    checkpoint.model.tensors = std::move(average);
  }
}

// The recipe of a classifier whose checkpoint has no classification recipe. Sizes come from the
// recipe of its encoder or from its tensors. The crop for evaluation comes from files next to the
// weights, or else is upstream's.
recipe::Recipe published_classifier(const Checkpoint& checkpoint, bool mean_pool,
                                    const std::vector<std::string>& set, Reporter& reporter) {
  std::vector<std::string> of_encoder;
  for (const std::string& assignment : set) {
    const bool other = assignment.starts_with("classifier.") || assignment.starts_with("augment.");
    if (!other) of_encoder.push_back(assignment);
  }
  const nlohmann::json facts = interop::facts_in(checkpoint);
  const auto pool = facts.value("pool", std::string(mean_pool ? "avg" : "token"));
  if (pool != (mean_pool ? "avg" : "token")) {
    fail(ExitCode::kCheckpoint,
         "{}: its head follows global_pool = {} and {}, this program's follows the mean token "
         "and fc_norm, or norm and the class token: measure its features with fastconvmae knn",
         checkpoint.path.string(), pool, mean_pool ? "fc_norm" : "norm");
  }
  const recipe::Recipe sizes = recipe_of(checkpoint, of_encoder);
  report_assumptions(checkpoint, of_encoder, ModelUse::kFeatures, reporter);
  recipe::Recipe recipe;
  recipe.task = recipe::Classify{};
  recipe.row = sizes.row;
  recipe.model = sizes.model;
  recipe.encoder = sizes.encoder;
  recipe.data = sizes.data;
  recipe.classify().classifier.pool = mean_pool ? "mean" : "token";
  recipe.classify().classifier.eval_crop = facts.value("eval_crop", 224.0 / 256);
  return recipe::read_recipe(recipe::print_recipe(recipe), checkpoint.path.string(), set);
}

recipe::Recipe classifier_recipe(const Checkpoint& checkpoint, const std::vector<std::string>& set,
                                 Reporter& reporter) {
  const std::string source = checkpoint.path.string();
  if (const auto text = checkpoint.state.find("recipe"); text != checkpoint.state.end()) {
    const auto toml = text->get<std::string>();
    if (recipe::recipe_for_task_of(toml, source).is<recipe::Classify>()) {
      return recipe::read_stored_recipe(toml, source, set);
    }
  }
  const auto architecture = interop::recognise(checkpoint.model.tensors);
  if (architecture && architecture->classes > 0) {
    const bool mean = architecture->fc_norm || encoder::family(architecture->kind).pools_latents;
    return published_classifier(checkpoint, mean, set, reporter);
  }
  fail(ExitCode::kCheckpoint,
       "{} holds no classifier, segmenter or detector; train one with fastconvmae finetune (or a "
       "classifier with linprobe), or measure frozen features with fastconvmae knn",
       source);
}

}  // namespace

TrainedClassifier load_classifier(Checkpoint checkpoint, const std::vector<std::string>& set,
                                  Reporter& reporter, at::Device device) {
  interop::refuse_downstream(checkpoint);
  TrainedClassifier trained;
  trained.recipe = classifier_recipe(checkpoint, set, reporter);
  recipe::check(trained.recipe);
  if (trained.recipe.classify().classifier.ema_decay > 0) {
    SilentReporter said_already;
    checkpoint = interop::load_any(checkpoint.path, true, said_already);
    take_average(checkpoint, reporter);
  }
  const std::string source = checkpoint.path.string();
  const bool probe = trained.recipe.classify().classifier.learns == "head";
  const TensorView* head = checkpoint.model.find(probe ? "head.1.weight" : "head.weight");
  if (head == nullptr || head->shape.size() != 2) {
    fail(ExitCode::kCheckpoint, "{} has no matrix {}, so it is not a classifier", source,
         probe ? "head.1.weight" : "head.weight");
  }
  trained.trained_on = stored_set(checkpoint.state, kTrainedOn);
  trained.pretrained_on = stored_set(checkpoint.state, kPretrainedOn);
  trained.classes = head->shape[0];
  trained.model = std::make_unique<models::Classifier>(
      recipe::classifier_options(trained.recipe, trained.classes), 0, device);
  const at::Tensor positions = resize_positions(*trained.model, checkpoint, reporter);
  const std::vector<at::Tensor> tables = resize_tables(*trained.model, checkpoint, reporter);
  if (probe) {
    auto learner = std::make_shared<train::ProbeLearner>(std::move(*trained.model), trained.recipe);
    learner->load_weights(checkpoint);
    trained.predict = [learner](const loader::Batch& batch) { return learner->logits(batch); };
    trained.probe = learner;
    trained.model.reset();
    return trained;
  }
  train::load_model(trained.model->parameters(), checkpoint.model, source);
  refuse_not_finite(trained.model->parameters(), source);
  trained.predict = [model = trained.model.get(), data = trained.recipe.data,
                     compute = recipe::compute_type(trained.recipe.model.precision, device)](
                        const loader::Batch& batch) {
    return models::logits_of(*model, batch, data, compute);
  };
  return trained;
}

}  // namespace fcm::tasks
