#include "fcm/train/classifier_learner.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <span>

#include "fcm/loader/float_pixels.h"
#include "fcm/loader/mix.h"
#include "fcm/loss/classification.h"
#include "fcm/ops/patchify/op.h"
#include "fcm/train/setup.h"
#include "fcm/train/state.h"

namespace fcm::train {
namespace {

// Pictures of a batch on their way into the network: bytes where nothing but crop, flip and changes
// of bytes was done to them, else numbers.
class Pictures {
 public:
  Pictures(const loader::Batch& batch, const FinetuneRecipe& recipe,
           std::span<const loader::Mix> mixes)
      : data_(recipe.data), bytes_BHWC_(pictures_of(batch)) {
    if (mixes.empty() && recipe.augment.erasing <= 0) return;
    values_ = loader::normalised_pixels(batch, recipe.data);
    loader::random_erase(recipe.augment, batch, static_cast<uint64_t>(recipe.run.seed),
                         values_.data());
    if (!mixes.empty()) loader::apply_mix(mixes, batch, values_.data());
  }

  // [count, L, P, D], float32, where the plan lies.
  at::Tensor patches(int64_t first, int64_t count, const masks::ViewPlan& plan,
                     const ops::PatchGeometry& geometry) {
    const at::Device device = plan.order_BL.device();
    if (values_.empty()) {
      return pixels_of(to_device(bytes_BHWC_.narrow(0, first, count), device), plan, geometry,
                       data_);
    }
    const at::Tensor numbers_BHWC = at::from_blob(values_.data(), bytes_BHWC_.sizes(), at::kFloat);
    const at::Tensor some_BHWC = to_device(numbers_BHWC.narrow(0, first, count), device);
    return ops::patchify_normalised(some_BHWC.permute({0, 3, 1, 2}), plan.order_BL, geometry);
  }

 private:
  const loader::DataOptions& data_;
  at::Tensor bytes_BHWC_;
  std::vector<float> values_;
};

}  // namespace

ClassifierLearner::ClassifierLearner(models::Classifier model, const FinetuneRecipe& recipe)
    : recipe_(recipe),
      compute_(compute_type(recipe.model.precision, model.device())),
      model_(std::move(model)),
      optimizer_(model_.parameters(),
                 optim::layer_decay_groups(model_.parameters(), recipe.optim.weight_decay,
                                           recipe.classifier.layer_decay),
                 recipe.optim) {
  if (recipe.classifier.ema_decay <= 0) return;
  average_ = std::make_unique<models::Classifier>(model_.options(), /*seed=*/0, model_.device());
  const at::NoGradGuard no_grad;
  average_->parameters().flat_values().copy_(model_.parameters().flat_values());
}

StepResult ClassifierLearner::update(const loader::Batch& batch, int64_t micro_batch, double lr) {
  const auto seed = static_cast<uint64_t>(recipe_.run.seed);
  const int64_t classes = model_.options().classes;
  const std::vector<loader::Mix> mixes = loader::draw_mix(recipe_.augment, batch, seed);
  Pictures pictures(batch, recipe_, mixes);
  std::vector<float> targets =
      loader::soft_targets(batch.labels, classes, recipe_.augment.smoothing, mixes);
  const at::Tensor targets_BC =
      to_device(at::from_blob(targets.data(), {batch.batch, classes}, at::kFloat), model_.device());
  StepResult result;
  optimizer_.zero_gradients();
  for (int64_t first = 0; first < batch.batch; first += micro_batch) {
    const int64_t count = std::min(micro_batch, batch.batch - first);
    const std::span<const int64_t> ids(batch.sample_ids.data() + first, static_cast<size_t>(count));
    const masks::ViewPlan plan = masks::full_plan(count, model_.grid()).to(model_.device());
    const at::Tensor features_BC =
        model_.features(pictures.patches(first, count, plan, model_.geometry()), plan, compute_,
                        model_.draw_drop_path(seed, static_cast<uint64_t>(batch.epoch), ids));
    const at::Tensor logits_BC = model_.classify(features_BC);  // [count, classes]
    const double share = static_cast<double>(count) / static_cast<double>(batch.batch);
    const at::Tensor loss =
        loss::soft_target_cross_entropy(logits_BC, targets_BC.narrow(0, first, count)) * share;
    torch::autograd::backward({loss}, {});
    result.loss += loss.item<double>();
  }
  result.gradient_norm = optimizer_.gradient_norm();
  result.applied = std::isfinite(result.loss) && std::isfinite(result.gradient_norm);
  if (!result.applied) return result;
  optimizer_.step(lr, optimizer_.clip_scale(result.gradient_norm));
  if (average_) {
    const at::NoGradGuard no_grad;
    average_->parameters().flat_values().lerp_(model_.parameters().flat_values(),
                                               1 - recipe_.classifier.ema_decay);
  }
  return result;
}

PublishedTensors ClassifierLearner::optimizer_state() const {
  PublishedTensors tensors = optimizer_tensors(model_.parameters(), optimizer_);
  if (average_) add_ema(tensors, average_->parameters());
  return tensors;
}

void ClassifierLearner::restore(const checkpoint::Checkpoint& from) {
  load_training_state(model_.parameters(), optimizer_, average_ ? &average_->parameters() : nullptr,
                      from);
}

at::Tensor pixels_of(const loader::Batch& batch, const models::Classifier& model,
                     const loader::DataOptions& options) {
  const masks::ViewPlan plan = masks::full_plan(batch.batch, model.grid()).to(model.device());
  return pixels_of(to_device(pictures_of(batch), model.device()), plan, model.geometry(), options);
}

at::Tensor logits_of(const models::Classifier& model, const loader::Batch& batch,
                     const loader::DataOptions& options, at::ScalarType compute) {
  const at::NoGradGuard no_grad;
  const masks::ViewPlan plan = masks::full_plan(batch.batch, model.grid()).to(model.device());
  return model.classify(model.features(pixels_of(batch, model, options), plan, compute))
      .to(at::kFloat)
      .cpu();
}

}  // namespace fcm::train
