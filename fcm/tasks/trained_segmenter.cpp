#include "fcm/tasks/trained_segmenter.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/base/relative_table.h"
#include "fcm/encoder/registry.h"
#include "fcm/interop/segmenter_names.h"
#include "fcm/interop/segmenters.h"
#include "fcm/interop/tensor_roles.h"
#include "fcm/masks/map_attention.h"
#include "fcm/models/inputs.h"
#include "fcm/recipe/check.h"
#include "fcm/recipe/setup.h"
#include "fcm/tasks/fit_positions.h"
#include "fcm/tasks/trained_model.h"
#include "fcm/train/state.h"

namespace fcm::tasks {
namespace {

using checkpoint::Checkpoint;
using formats::TensorView;
using interop::patterns_of;
using interop::TensorRole;

constexpr std::string_view kBackbonePrefix = "backbone.";
constexpr const char* kClassesWeight = "decode_head.conv_seg.weight";

// Gives the tensors of an encoder the prefix that they have in a segmenter, and removes tensors
// that a segmenter's backbone does not have.
void convert_to_backbone(Checkpoint& checkpoint) {
  std::erase_if(checkpoint.model.tensors, [](const TensorView& view) {
    return interop::has_role(view.name,
                             {TensorRole::kFusion, TensorRole::kDecoder, TensorRole::kTarget,
                              TensorRole::kEncoderNorm, TensorRole::kHeadNorm, TensorRole::kHead});
  });
  for (TensorView& view : checkpoint.model.tensors) {
    view.name.insert(0, kBackbonePrefix);
  }
}

// Resizes the checkpoint's position embeddings and relative-position tables to the segmenter's
// grid. The returned tensors own the new values.
std::vector<at::Tensor> resize_to_grid(const models::Segmenter& model, Checkpoint& checkpoint,
                                       Reporter& reporter) {
  const int64_t class_tokens = encoder::family(model.options().kind).class_tokens;
  const masks::Grid to = model.grid();
  std::vector<at::Tensor> resized_tensors;
  std::optional<masks::Grid> from;
  for (TensorView& view : checkpoint.model.tensors) {
    if (view.name != "backbone.pos_embed" || view.shape.size() != 3) continue;
    from = grid_of_positions(checkpoint, view.shape[1] - class_tokens);
    at::Tensor table = fit_positions(view, class_tokens, *from, to);
    if (!table.defined()) continue;
    reporter.info(fmt::format("position embeddings of {} x {} patches resized to {} x {}",
                              from->rows, from->cols, to.rows, to.cols));
    resized_tensors.push_back(std::move(table));
  }
  if (!from || (from->rows == to.rows && from->cols == to.cols)) return resized_tensors;
  const masks::MapAttention map = masks::map_attention(*from, to, /*class_token=*/false);
  const int64_t patch_row_count = masks::upstream_table_rows(*from, false);
  for (TensorView& view : checkpoint.model.tensors) {
    if (!view.name.ends_with(kRelativeTable) || view.shape.size() != 2) continue;
    if (view.shape[0] != patch_row_count + (class_tokens > 0 ? 3 : 0)) continue;
    const at::Tensor old_RH = train::to_tensor(view).to(at::kFloat);
    const at::Tensor patch_rows_RH = map.table(old_RH.narrow(0, 0, patch_row_count));
    const at::Tensor class_rows_RH =
        old_RH.narrow(0, patch_row_count, old_RH.size(0) - patch_row_count);
    resized_tensors.push_back(replace_values(view, at::cat({patch_rows_RH, class_rows_RH})));
  }
  return resized_tensors;
}

// Removes the classification layer (conv_seg) if it was trained on other classes.
void drop_other_classes(const models::Segmenter& model, Checkpoint& checkpoint,
                        const std::vector<std::string>& classes, Reporter& reporter) {
  const TensorView* head = checkpoint.model.find(kClassesWeight);
  if (head == nullptr || head->shape.empty()) return;
  const std::string why =
      why_other_head(checkpoint, head->shape[0], model.options().classes, classes, reporter);
  if (why.empty()) return;
  reporter.warn(fmt::format("{} {}: a new head is trained", checkpoint.path.string(), why));
  std::erase_if(checkpoint.model.tensors, [](const TensorView& view) {
    return view.name.find(".conv_seg.") != std::string::npos;
  });
}

}  // namespace

bool is_segmenter(const Checkpoint& checkpoint) {
  return interop::are_of_segmenter(checkpoint.model.tensors);
}

void load_segmenter_start(models::Segmenter& model, Checkpoint checkpoint,
                          const std::vector<std::string>& allow_missing, Reporter& reporter,
                          const std::vector<std::string>& classes) {
  train::LoadRules rules{allow_missing, {}};
  if (is_segmenter(checkpoint)) {
    drop_other_classes(model, checkpoint, classes, reporter);
    rules.missing.emplace_back("*.conv_seg.*");
  } else {
    convert_to_backbone(checkpoint);
    for (const char* own : {"backbone.*.gamma_?", "backbone.*.relative_position_bias_table",
                            "backbone.fpn.*", "neck.*", "decode_head.*", "auxiliary_head.*"}) {
      rules.missing.emplace_back(own);
    }
  }
  const std::vector<at::Tensor> resized_tensors = resize_to_grid(model, checkpoint, reporter);
  train::load_model(model.parameters(), checkpoint.model, checkpoint.path.string(), rules);
  refuse_not_finite(model.parameters(), checkpoint.path.string());
}

TrainedSegmenter load_segmenter(Checkpoint checkpoint, const std::vector<std::string>& set,
                                Reporter& reporter, at::Device device) {
  const std::string source = checkpoint.path.string();
  const TensorView* head = checkpoint.model.find(kClassesWeight);
  if (head == nullptr || head->shape.empty()) {
    fail(ExitCode::kCheckpoint,
         "{} is not a segmenter; train one with fastconvmae finetune and a segmentation recipe",
         source);
  }
  TrainedSegmenter trained;
  trained.recipe = interop::segmenter_recipe(checkpoint, set);
  recipe::check(trained.recipe);
  for (const std::string& sentence : interop::segmenter_assumptions(checkpoint, set)) {
    reporter.info(fmt::format("{} does not say, so this is assumed: {}", source, sentence));
  }
  trained.trained_on = stored_set(checkpoint.state, kTrainedOn);
  trained.pretrained_on = stored_set(checkpoint.state, kPretrainedOn);
  trained.model = std::make_unique<models::Segmenter>(
      recipe::segmenter_options(trained.recipe, head->shape[0]), 0, device);
  const std::vector<at::Tensor> resized_tensors =
      resize_to_grid(*trained.model, checkpoint, reporter);
  train::LoadRules rules;
  rules.missing.emplace_back("auxiliary_head.*");  // not needed for prediction
  train::load_model(trained.model->parameters(), checkpoint.model, source, rules);
  refuse_not_finite(trained.model->parameters(), source);
  trained.logits = [model = trained.model.get(),
                    compute = recipe::compute_type(trained.recipe.model.precision, device)](
                       const at::Tensor& windows_NHWC) {
    return models::logits_of(*model, windows_NHWC, compute);
  };
  return trained;
}

}  // namespace fcm::tasks
