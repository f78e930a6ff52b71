#include "fcm/train/learners/detect.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "fcm/loader/instances.h"
#include "fcm/loader/slice.h"
#include "fcm/models/inputs.h"
#include "fcm/ops/profile_scope.h"
#include "fcm/recipe/setup.h"
#include "fcm/train/learners/passes.h"
#include "fcm/train/state.h"

namespace fcm::train {
namespace {

models::FrameTruth truth_of(const loader::Instances& labelled, at::Device device) {
  const auto count = std::ssize(labelled.instances);
  const at::Tensor boxes_T4 = at::empty({count, 4}, at::kFloat);
  const at::Tensor classes_T = at::empty({count}, at::kLong);
  auto* box = boxes_T4.mutable_data_ptr<float>();
  auto* number = classes_T.mutable_data_ptr<int64_t>();
  for (const loader::Instance& one : labelled.instances) {
    for (const double side : one.box) *box++ = static_cast<float>(side);
    *number++ = one.class_number;
  }
  return {boxes_T4.to(device), classes_T.to(device)};
}

// Targets of the mask head: for each box the mask of its object (`truths_M`: index in `labelled`),
// cropped to the box. float32 [M, S, S] of 0 and 1, on the CPU.
at::Tensor mask_targets(const loader::Instances& labelled, const at::Tensor& boxes_M4,
                        const at::Tensor& truths_M) {
  const at::Tensor boxes = boxes_M4.to(at::kCPU, at::kFloat).contiguous();
  const at::Tensor truths = truths_M.cpu().contiguous();
  const int64_t side = models::Detector::kMaskSide;
  at::Tensor targets = at::empty({boxes.size(0), side, side}, at::kFloat);
  const auto* corner = boxes.const_data_ptr<float>();
  const auto* truth = truths.const_data_ptr<int64_t>();
  auto* out = targets.mutable_data_ptr<float>();
  at::parallel_for(0, boxes.size(0), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const loader::Instance& one = labelled.instances[static_cast<size_t>(truth[i])];
      const std::vector<uint8_t> mask = loader::mask_target_of(
          one, {corner[4 * i], corner[4 * i + 1], corner[4 * i + 2], corner[4 * i + 3]}, side);
      std::copy(mask.begin(), mask.end(), out + i * side * side);
    }
  });
  return targets;
}

}  // namespace

DetectorLearner::DetectorLearner(models::Detector model, const recipe::Recipe& recipe,
                                 std::shared_ptr<dist::Group> group)
    : Learner(std::move(group)),
      recipe_(recipe),
      compute_(recipe::compute_type(recipe.model.precision, model.device())),
      model_(std::move(model)),
      weights_(shared_group(), model_.parameters(), recipe.optim.shard),
      optimizer_(
          model_.parameters(),
          optim::detection_groups(model_.parameters(), model_.layer_of(), recipe.optim.weight_decay,
                                  recipe.detect().detector.layer_decay),
          recipe.optim, weights_.share()),
      gradients_(shared_group(), model_.parameters(), weights_) {}

void DetectorLearner::configure_loader(loader::LoaderRequest& request) const {
  request.targets = loader::TargetKind::kInstances;
  request.jitter = recipe_.detect().jitter;
}

void DetectorLearner::pass(const loader::Batch& batch, int64_t first, int64_t count,
                           const StepPlan& plan, bool is_last, StepResult& result) {
  const std::span<const int64_t> ids(batch.sample_ids.data() + first, static_cast<size_t>(count));
  const std::span<const loader::Instances> labelled(batch.targets.instances().data() + first,
                                                    static_cast<size_t>(count));
  const at::Device device = model_.device();
  const masks::ViewPlan views = model_.plan(count).to(device);
  const at::Tensor images_BHWC =
      models::to_device(models::images_of(batch).narrow(0, first, count), device);
  std::vector<models::FrameTruth> truths;
  for (const loader::Instances& one : labelled) truths.push_back(truth_of(one, device));
  ops::enter_phase("detector");
  const models::Detector::Losses losses = model_.train(
      models::pixels_of(images_BHWC, views, model_.geometry(), recipe_.data), views, compute_,
      model_.draw(static_cast<uint64_t>(recipe_.run.seed), static_cast<uint64_t>(plan.step), ids),
      truths,
      [&](int64_t image, const at::Tensor& boxes_M4, const at::Tensor& truths_M) {
        return mask_targets(labelled[static_cast<size_t>(image)], boxes_M4, truths_M).to(device);
      },
      shared_group());
  // The losses are this rank's contributions to the means over the pass.
  const double share = batch.share_of(1) * static_cast<double>(losses.images);
  const at::Tensor loss = losses.total() * share;
  if (is_last) gradients_.begin_last_pass();
  ops::enter_phase("backward");
  torch::autograd::backward({loss}, {});
  result.loss +=
      losses.non_finite_count > 0 ? std::numeric_limits<double>::quiet_NaN() : loss.item<double>();
  for (const auto& [name, value] : losses.named()) {
    result.target_losses[name] += value.item<double>() * share;
  }
}

StepResult DetectorLearner::update(const loader::Batch& batch, const StepPlan& plan) {
  StepResult result;
  SavedStatistics statistics(model_.parameters());
  ops::enter_phase("update");
  optimizer_.zero_gradients();
  const int64_t passes = passes_of_update(batch.global_batch, group().size(), plan.micro_batch);
  for (int64_t i = 0; i < passes; ++i) {
    const auto [first, end] = loader::Slice{i, passes}.of(batch.batch);
    pass(batch, first, end - first, plan, i + 1 == passes, result);
  }
  if (!finish_update(gradients_, weights_, optimizer_, plan, result)) {
    statistics.restore();
    return result;
  }
  ops::enter_phase("");
  return result;
}

void DetectorLearner::begin_saving() { weights_.collect_moments(optimizer_); }

void DetectorLearner::restore(const checkpoint::Checkpoint& from) {
  optimizer_.widen();
  load_training_state(model_.parameters(), optimizer_, nullptr, from);
  optimizer_.keep_share();
}

}  // namespace fcm::train
