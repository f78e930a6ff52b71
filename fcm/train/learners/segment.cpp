#include "fcm/train/learners/segment.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <span>
#include <utility>
#include <vector>

#include "fcm/loader/scene_pixels.h"
#include "fcm/loader/slice.h"
#include "fcm/loss/segmentation.h"
#include "fcm/models/inputs.h"
#include "fcm/ops/patchify/op.h"
#include "fcm/ops/profile_scope.h"
#include "fcm/recipe/setup.h"
#include "fcm/train/learners/passes.h"
#include "fcm/train/state.h"

namespace fcm::train {

SegmenterLearner::SegmenterLearner(models::Segmenter model, const recipe::Recipe& recipe,
                                   std::shared_ptr<dist::Group> group)
    : Learner(std::move(group)),
      recipe_(recipe),
      compute_(recipe::compute_type(recipe.model.precision, model.device())),
      model_(std::move(model)),
      weights_(shared_group(), model_.parameters(), recipe.optim.shard),
      optimizer_(model_.parameters(),
                 optim::layer_decay_groups(model_.parameters(), model_.layer_of(),
                                           recipe.optim.weight_decay,
                                           recipe.segment().segmenter.layer_decay),
                 recipe.optim, weights_.share()),
      gradients_(shared_group(), model_.parameters(), weights_) {}

void SegmenterLearner::configure_loader(loader::LoaderRequest& request) const {
  request.targets = loader::TargetKind::kMap;
  request.pipeline = recipe_.segment().pipeline;
  request.classes = model_.options().classes;
}

StepResult SegmenterLearner::update(const loader::Batch& batch, const StepPlan& plan) {
  const auto seed = static_cast<uint64_t>(recipe_.run.seed);
  const double aux_weight = recipe_.segment().segmenter.aux_weight;
  std::vector<float> values = loader::normalised_scene_pixels(batch, recipe_.data);
  const at::Tensor images_BHWC = at::from_blob(
      values.data(), {batch.batch, batch.rows, batch.cols, batch.channels}, at::kFloat);
  const at::Tensor maps_BHW = models::maps_of(batch);
  StepResult result;
  double decode = 0, aux = 0;
  SavedStatistics statistics(model_.parameters());
  ops::enter_phase("update");
  optimizer_.zero_gradients();
  const int64_t passes = passes_of_update(batch.global_batch, group().size(), plan.micro_batch);
  for (int64_t pass = 0; pass < passes; ++pass) {
    const auto [first, end] = loader::Slice{pass, passes}.of(batch.batch);
    const int64_t count = end - first;
    const std::span<const int64_t> ids(batch.sample_ids.data() + first, static_cast<size_t>(count));
    const masks::ViewPlan views = masks::full_plan(count, model_.grid()).to(model_.device());
    const at::Tensor some_BHWC =
        models::to_device(images_BHWC.narrow(0, first, count), model_.device());
    const at::Tensor labels_BHW =
        models::to_device(maps_BHW.narrow(0, first, count), model_.device());
    ops::enter_phase("segmenter");
    const models::Segmenter::Logits logits =
        model_.train(ops::patchify_normalised(some_BHWC.permute({0, 3, 1, 2}), views.order_BL,
                                              model_.geometry()),
                     views, compute_, model_.draw(seed, static_cast<uint64_t>(batch.epoch), ids),
                     shared_group());
    ops::enter_phase("loss");
    const auto of_decode = loss::segmentation_loss(logits.decode_BHWK, labels_BHW);
    const auto of_aux = loss::segmentation_loss(logits.aux_BHWK, labels_BHW);
    const double share = batch.share_of(count);
    const at::Tensor loss = (of_decode.loss + of_aux.loss * aux_weight) * share;
    if (pass + 1 == passes) gradients_.begin_last_pass();
    ops::enter_phase("backward");
    torch::autograd::backward({loss}, {});
    result.loss += loss.item<double>();
    decode += of_decode.loss.item<double>() * share;
    aux += of_aux.loss.item<double>() * share;
    correct_ += of_decode.correct.item<int64_t>();
    pixels_ += labels_BHW.numel();
  }
  result.target_losses = {{"decode", decode}, {"aux", aux}};
  if (!finish_update(gradients_, weights_, optimizer_, plan, result)) {
    statistics.restore();
    return result;
  }
  ops::enter_phase("");
  return result;
}

void SegmenterLearner::add_to_step_line(nlohmann::json& line, int64_t /*step*/,
                                        Reporter& /*reporter*/) {
  const at::Tensor counts = at::tensor({correct_, pixels_}, at::kLong);
  group().sum(counts);
  const auto* count = counts.const_data_ptr<int64_t>();
  if (count[1] > 0) {
    line["decode_acc"] = 100 * static_cast<double>(count[0]) / static_cast<double>(count[1]);
  }
  correct_ = pixels_ = 0;
}

void SegmenterLearner::begin_saving() { weights_.collect_moments(optimizer_); }

void SegmenterLearner::restore(const checkpoint::Checkpoint& from) {
  optimizer_.widen();
  load_training_state(model_.parameters(), optimizer_, nullptr, from);
  optimizer_.keep_share();
}

}  // namespace fcm::train
