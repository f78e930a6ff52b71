#include "fcm/tasks/trained_detector.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/base/relative_table.h"
#include "fcm/encoder/registry.h"
#include "fcm/interop/detectors.h"
#include "fcm/interop/tensor_roles.h"
#include "fcm/models/inputs.h"
#include "fcm/recipe/check.h"
#include "fcm/recipe/setup.h"
#include "fcm/tasks/class_match.h"
#include "fcm/tasks/fit_positions.h"
#include "fcm/tasks/trained_model.h"
#include "fcm/train/state.h"

namespace fcm::tasks {
namespace {

using checkpoint::Checkpoint;
using formats::TensorView;
using interop::TensorRole;

std::string backbone_prefix(const models::Detector& model) {
  return fmt::format("backbone.{}.", models::backbone_place(model.options().backbone.form));
}

// Gives the tensors of an encoder the prefix that they have in a detector, and removes tensors that
// a detector's backbone does not have, such as the class token. As in MIMDet, the position table of
// a ViT is removed as well: the detector starts with the sine-cosine positions of its own grid,
// whose channels have another order.
void name_as_detectors(Checkpoint& checkpoint, const std::string& prefix, bool is_vit) {
  std::erase_if(checkpoint.model.tensors, [&](const TensorView& view) {
    const bool of_others = interop::has_role(
        view.name, {TensorRole::kFusion, TensorRole::kDecoder, TensorRole::kTarget,
                    TensorRole::kEncoderNorm, TensorRole::kHeadNorm, TensorRole::kHead});
    return of_others || view.name == "cls_token" || (is_vit && view.name == "pos_embed");
  });
  for (TensorView& view : checkpoint.model.tensors) view.name.insert(0, prefix);
}

bool takes_position(const models::Detector& model, const TensorView& view) {
  return view.name == backbone_prefix(model) + "pos_embed" && view.shape.size() == 3;
}

// Resizes the file's position table to the detector's grid; the returned tensors own the values.
std::vector<at::Tensor> resize_positions(const models::Detector& model, Checkpoint& checkpoint,
                                         Reporter& reporter) {
  std::vector<at::Tensor> resized_tensors;
  for (TensorView& view : checkpoint.model.tensors) {
    if (!takes_position(model, view)) continue;
    const masks::Grid from = grid_of_positions(checkpoint, view.shape[1]);
    const masks::Grid to = model.positions_grid();
    at::Tensor table = fit_positions(view, 0, from, to);
    if (!table.defined()) continue;
    reporter.info(fmt::format("position embeddings of {} x {} patches resized to {} x {}",
                              from.rows, from.cols, to.rows, to.cols));
    resized_tensors.push_back(std::move(table));
  }
  return resized_tensors;
}

// Resizes the file's relative position tables to the detector's windows and grid; the returned
// tensors own the values.
std::vector<at::Tensor> resize_tables(const models::Detector& model, Checkpoint& checkpoint) {
  std::vector<at::Tensor> resized_tensors;
  for (TensorView& view : checkpoint.model.tensors) {
    if (!view.name.ends_with(kRelativeTable)) continue;
    const auto& all = model.parameters().all();
    const auto own = std::find_if(all.begin(), all.end(), [&](const nn::Parameter& parameter) {
      return parameter.name == view.name;
    });
    if (own == all.end()) continue;
    at::Tensor table = fit_relative_table(view, own->published_shape[0]);
    if (table.defined()) resized_tensors.push_back(std::move(table));
  }
  return resized_tensors;
}

// Removes the tensors of the heads that depend on the classes, if they were trained on other
// classes.
void drop_heads_of_other_classes(const models::Detector& model, Checkpoint& checkpoint,
                                 const std::vector<std::string>& classes, Reporter& reporter) {
  const TensorView* head = checkpoint.model.find(std::string(interop::kDetectorClasses));
  if (head == nullptr || head->shape.empty()) return;
  const std::string why =
      why_other_head(checkpoint, head->shape[0] - 1, model.options().classes, classes, reporter);
  if (why.empty()) return;
  reporter.warn(fmt::format("{} {}: new heads are trained", checkpoint.path.string(), why));
  std::erase_if(checkpoint.model.tensors, [](const TensorView& view) {
    return view.name.starts_with("roi_heads.box_predictor.") ||
           view.name.starts_with("roi_heads.mask_head.predictor.");
  });
}

}  // namespace

eval::FindObjects finder_of(const models::Detector& model, const recipe::Recipe& recipe) {
  return [&model, &recipe, compute = recipe::compute_type(recipe.model.precision, model.device())](
             const at::Tensor& frames_BHWC) {
    return models::detections_of(model, frames_BHWC, recipe.data, compute);
  };
}

void load_detector_start(models::Detector& model, Checkpoint checkpoint,
                         const std::vector<std::string>& allow_missing, Reporter& reporter,
                         const std::vector<std::string>& classes) {
  train::LoadRules rules{allow_missing, {}};
  if (interop::is_detector(checkpoint)) {
    drop_heads_of_other_classes(model, checkpoint, classes, reporter);
    rules.missing.insert(rules.missing.end(),
                         {"roi_heads.box_predictor.*", "roi_heads.mask_head.predictor.*"});
  } else {
    const std::string prefix = backbone_prefix(model);
    const bool is_vit = model.options().backbone.kind == "vit";
    name_as_detectors(checkpoint, prefix, is_vit);
    if (is_vit) rules.missing.push_back(prefix + "pos_embed");
    for (const std::string& own : interop::detectors_own_tensors()) rules.missing.push_back(own);
  }
  const auto positions = resize_positions(model, checkpoint, reporter);
  const auto tables = resize_tables(model, checkpoint);
  train::load_model(model.parameters(), checkpoint.model, checkpoint.path.string(), rules);
  refuse_not_finite(model.parameters(), checkpoint.path.string());
}

TrainedDetector load_detector(Checkpoint checkpoint, const std::vector<std::string>& set,
                              Reporter& reporter, at::Device device) {
  const std::string source = checkpoint.path.string();
  const TensorView* head = checkpoint.model.find(std::string(interop::kDetectorClasses));
  if (head == nullptr || head->shape.empty()) {
    fail(ExitCode::kCheckpoint,
         "{} is not a detector; train one with fastconvmae finetune and a detection recipe",
         source);
  }
  TrainedDetector trained;
  trained.recipe = interop::detector_recipe(checkpoint, set);
  recipe::check(trained.recipe);
  for (const std::string& sentence : interop::detector_assumptions(checkpoint, set)) {
    reporter.info(fmt::format("{} does not say, so this is assumed: {}", source, sentence));
  }
  trained.trained_on = stored_set(checkpoint.state, kTrainedOn);
  trained.pretrained_on = stored_set(checkpoint.state, kPretrainedOn);
  trained.model = std::make_unique<models::Detector>(
      recipe::detector_options(trained.recipe, head->shape[0] - 1), 0, device);
  const auto positions = resize_positions(*trained.model, checkpoint, reporter);
  const auto tables = resize_tables(*trained.model, checkpoint);
  train::load_model(trained.model->parameters(), checkpoint.model, source);
  refuse_not_finite(trained.model->parameters(), source);
  const at::ScalarType compute = recipe::compute_type(trained.recipe.model.precision, device);
  trained.find = [model = trained.model.get(), data = trained.recipe.data,
                  compute](const at::Tensor& frames_BHWC) {
    return models::detections_of(*model, frames_BHWC, data, compute);
  };
  return trained;
}

}  // namespace fcm::tasks
