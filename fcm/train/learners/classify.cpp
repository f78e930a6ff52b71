#include "fcm/train/learners/classify.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <span>

#include "fcm/loader/float_pixels.h"
#include "fcm/loader/mix.h"
#include "fcm/loss/classification.h"
#include "fcm/models/inputs.h"
#include "fcm/ops/patchify/op.h"
#include "fcm/ops/profile_scope.h"
#include "fcm/recipe/setup.h"
#include "fcm/train/state.h"

namespace fcm::train {
namespace {

// The images of a batch as network input: float values if random erasing, mixup or cutmix is
// applied, else the bytes that were loaded.
class Images {
 public:
  Images(const loader::Batch& batch, const recipe::Recipe& recipe,
         std::span<const loader::Mix> mixes)
      : data_(recipe.data), bytes_BHWC_(models::images_of(batch)) {
    if (mixes.empty() && recipe.classify().augment.erasing <= 0) return;
    values_ = loader::normalised_pixels(batch, recipe.data);
    loader::random_erase(recipe.classify().augment, batch, static_cast<uint64_t>(recipe.run.seed),
                         values_.data());
    if (!mixes.empty()) loader::apply_mix(mixes, batch, values_.data());
  }

  // Patches of images [first, first + count): [count, L, P, D], float32, on the plan's device.
  at::Tensor patches(int64_t first, int64_t count, const masks::ViewPlan& plan,
                     const ops::PatchGeometry& geometry) {
    const at::Device device = plan.order_BL.device();
    if (values_.empty()) {
      return models::pixels_of(models::to_device(bytes_BHWC_.narrow(0, first, count), device), plan,
                               geometry, data_);
    }
    const at::Tensor numbers_BHWC = at::from_blob(values_.data(), bytes_BHWC_.sizes(), at::kFloat);
    const at::Tensor some_BHWC = models::to_device(numbers_BHWC.narrow(0, first, count), device);
    return ops::patchify_normalised(some_BHWC.permute({0, 3, 1, 2}), plan.order_BL, geometry);
  }

 private:
  const loader::DataOptions& data_;
  at::Tensor bytes_BHWC_;
  std::vector<float> values_;
};

}  // namespace

ClassifierLearner::ClassifierLearner(models::Classifier model, const recipe::Recipe& recipe,
                                     std::shared_ptr<dist::Group> group)
    : Learner(std::move(group)),
      recipe_(recipe),
      compute_(recipe::compute_type(recipe.model.precision, model.device())),
      model_(std::move(model)),
      weights_(shared_group(), model_.parameters(), recipe.optim.shard),
      optimizer_(model_.parameters(),
                 optim::layer_decay_groups(model_.parameters(), model_.layer_of(),
                                           recipe.optim.weight_decay,
                                           recipe.classify().classifier.layer_decay),
                 recipe.optim, weights_.share()),
      gradients_(shared_group(), model_.parameters(), weights_) {
  if (recipe.classify().classifier.ema_decay <= 0) return;
  average_ = std::make_unique<models::Classifier>(model_.options(), /*seed=*/0, model_.device());
  const at::NoGradGuard no_grad;
  average_->parameters().flat_values().copy_(model_.parameters().flat_values());
}

StepResult ClassifierLearner::update(const loader::Batch& batch, const StepPlan& plan) {
  const auto seed = static_cast<uint64_t>(recipe_.run.seed);
  const int64_t classes = model_.options().classes;
  const std::vector<loader::Mix> mixes = loader::draw_mix(recipe_.classify().augment, batch, seed);
  Images images(batch, recipe_, mixes);
  std::vector<float> targets = loader::soft_targets(batch.targets.labels(), classes,
                                                    recipe_.classify().augment.smoothing, mixes);
  const at::Tensor targets_BC = models::to_device(
      at::from_blob(targets.data(), {batch.batch, classes}, at::kFloat), model_.device());
  StepResult result;
  ops::enter_phase("update");
  optimizer_.zero_gradients();
  for (int64_t first = 0; first < batch.batch; first += plan.micro_batch) {
    const int64_t count = std::min(plan.micro_batch, batch.batch - first);
    const std::span<const int64_t> ids(batch.sample_ids.data() + first, static_cast<size_t>(count));
    const masks::ViewPlan views = masks::full_plan(count, model_.grid()).to(model_.device());
    ops::enter_phase("encoder");
    const at::Tensor features_BC =
        model_.features(images.patches(first, count, views, model_.geometry()), views, compute_,
                        model_.draw_drop_path(seed, static_cast<uint64_t>(batch.epoch), ids));
    ops::enter_phase("head");
    const at::Tensor logits_BC = model_.classify(features_BC);  // [count, classes]
    const double share = batch.share_of(count);
    const at::Tensor loss =
        loss::soft_target_cross_entropy(logits_BC, targets_BC.narrow(0, first, count)) * share;
    if (first + count == batch.batch) gradients_.begin_last_pass();
    ops::enter_phase("backward");
    torch::autograd::backward({loss}, {});
    result.loss += loss.item<double>();
  }
  if (!finish_update(gradients_, weights_, optimizer_, plan, result)) {
    return result;
  }
  if (average_) {
    const at::NoGradGuard no_grad;
    average_->parameters().flat_values().lerp_(model_.parameters().flat_values(),
                                               1 - recipe_.classify().classifier.ema_decay);
  }
  ops::enter_phase("");
  return result;
}

PublishedTensors ClassifierLearner::optimizer_state() const {
  PublishedTensors tensors = optimizer_tensors(model_.parameters(), optimizer_);
  if (average_) add_ema(tensors, average_->parameters());
  return tensors;
}

void ClassifierLearner::begin_saving() { weights_.collect_moments(optimizer_); }

void ClassifierLearner::restore(const checkpoint::Checkpoint& from) {
  optimizer_.widen();
  load_training_state(model_.parameters(), optimizer_, average_ ? &average_->parameters() : nullptr,
                      from);
  optimizer_.keep_share();
}

}  // namespace fcm::train
