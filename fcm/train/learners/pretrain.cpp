#include "fcm/train/learners/pretrain.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "fcm/models/inputs.h"
#include "fcm/ops/profile_scope.h"
#include "fcm/recipe/setup.h"
#include "fcm/train/execution/queued_update.h"
#include "fcm/train/learners/forward_backward.h"

namespace fcm::train {

PretrainLearner::PretrainLearner(models::MaskedAutoencoder model, const recipe::Recipe& recipe,
                                 std::unique_ptr<targets::Teachers> teachers,
                                 std::shared_ptr<dist::Group> group)
    : Learner(std::move(group)),
      recipe_(recipe),
      compute_(recipe::compute_type(recipe.model.precision, model.device())),
      model_(std::move(model)),
      teachers_(std::move(teachers)),
      weights_(shared_group(), model_.parameters(), recipe.optim.shard),
      optimizer_(model_.parameters(), recipe.optim, weights_.share()),
      gradients_(shared_group(), model_.parameters(), weights_) {
  if (ema() != nullptr) ema()->start_from(model_.parameters());
}

StepResult PretrainLearner::update(const loader::Batch& batch, const StepPlan& plan) {
  StepResult result;
  const at::Tensor images_BHWC = models::to_device(models::images_of(batch), model_.device());
  // Read after the work of all micro-batches is enqueued: reading a loss waits for the device.
  std::vector<std::pair<Losses, double>> losses_and_shares;
  std::optional<targets::Spread> spread;
  ops::enter_phase("update");
  optimizer_.zero_gradients();
  for (int64_t first = 0; first < batch.batch; first += plan.micro_batch) {
    const int64_t count = std::min(plan.micro_batch, batch.batch - first);
    const std::span<const int64_t> ids(batch.sample_ids.data() + first, static_cast<size_t>(count));
    const masks::ViewPlan views =
        masks::with_drawn_share(
            masks::plan_for_samples(ids, static_cast<uint64_t>(recipe_.run.seed),
                                    static_cast<uint64_t>(batch.epoch), model_.grid(),
                                    recipe_.pretrain().masks),
            recipe_.pretrain().decoder.share)
            .to(model_.device());
    const double share = batch.share_of(count);
    if (first + count == batch.batch) gradients_.begin_last_pass();
    losses_and_shares.emplace_back(
        forward_backward(model_, images_BHWC.narrow(0, first, count), views, recipe_, compute_,
                         share, teachers_.get()),
        share);
    const at::Tensor& ema_BLC = losses_and_shares.back().first.ema_BLC;
    if (ema_BLC.defined()) spread = targets::spread_of(ema_BLC);
  }
  ops::enter_phase("update");
  for (const auto& [losses, share] : losses_and_shares) {
    result.loss += losses.loss.item<double>();
    for (const auto& [name, loss] : losses.of_targets) {
      result.target_losses[name] += loss.item<double>() * share;
    }
  }
  gradients_.finish(result);
  result.gradient_norm = weights_.gradient_norm();
  result.applied = is_finite(result);
  if (!result.applied) return result;
  optimizer_.step(plan.lr, optimizer_.clip_scale(result.gradient_norm));
  weights_.complete();
  ema_spread_ = spread;
  if (ema() != nullptr) {
    ema()->follow(model_.parameters(),
                  targets::ema_momentum(recipe_.pretrain().targets, plan.step, plan.of_steps));
  }
  ops::enter_phase("");
  return result;
}

std::unique_ptr<Execution> PretrainLearner::make_queued_execution(int64_t micro_batch,
                                                                  const MakeRecorder& record) {
  if (ema() != nullptr || group().size() > 1) return nullptr;
  return std::make_unique<QueuedUpdate>(model_, optimizer_, recipe_, compute_, micro_batch,
                                        teachers_.get(), record ? record() : nullptr);
}

Learner::MakeRecorder PretrainLearner::recording(bool wanted) const {
  if (wanted && device().is_cuda() && teachers_ == nullptr) return ops::make_cuda_graph;
  return nullptr;
}

PublishedTensors PretrainLearner::optimizer_state() const {
  PublishedTensors tensors = optimizer_tensors(model_.parameters(), optimizer_);
  if (ema() != nullptr) add_ema(tensors, ema()->parameters());
  return tensors;
}

nlohmann::json PretrainLearner::extra_state() const {
  nlohmann::json state = nlohmann::json::object();
  if (!scaler_.is_null()) state["scaler"] = scaler_;
  return state;
}

void PretrainLearner::begin_saving() { weights_.collect_moments(optimizer_); }

void PretrainLearner::restore(const checkpoint::Checkpoint& from) {
  optimizer_.widen();
  load_training_state(model_.parameters(), optimizer_, ema() ? &ema()->parameters() : nullptr,
                      from);
  optimizer_.keep_share();
  scaler_ = from.state.value("scaler", nlohmann::json());
}

void PretrainLearner::add_to_step_line(nlohmann::json& line, int64_t step, Reporter& reporter) {
  constexpr double kCollapsed = 0.05;
  if (!ema_spread_) return;
  line["ema_spread"] = ema_spread_->mean;
  line["ema_least_spread"] = ema_spread_->least;
  if (ema_spread_->mean >= kCollapsed || warned_of_collapse_) return;
  warned_of_collapse_ = true;
  reporter.warn(fmt::format(
      "step {}: the EMA teacher gives nearly the same features for every patch (std {:.3g} over "
      "patches, mean of all dimensions); its targets have collapsed. Give targets.rgb more "
      "weight, or raise targets.ema_momentum",
      step, ema_spread_->mean));
}

}  // namespace fcm::train
