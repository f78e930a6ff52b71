#include "fcm/train/execution/queued_update.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/models/inputs.h"
#include "fcm/train/learners/forward_backward.h"

namespace fcm::train {
namespace {

// The plan of images [first, first + count) of a batch.
masks::ViewPlan part_of(const masks::ViewPlan& plan, int64_t first, int64_t count) {
  masks::ViewPlan part = plan;
  part.order_BL = plan.order_BL.narrow(0, first, count);
  part.neighbours_BL9 = plan.neighbours_BL9.narrow(0, first, count);
  return part;
}

std::vector<std::string> several_targets(const targets::TargetOptions& options) {
  std::vector<std::string> names = options.reconstructed();
  if (options.mimic != "none") names.emplace_back("mimic");
  return names.size() > 1 ? names : std::vector<std::string>();
}

}  // namespace

QueuedUpdate::QueuedUpdate(models::MaskedAutoencoder& model, optim::AdamW& optimizer,
                           const recipe::Recipe& recipe, at::ScalarType compute,
                           int64_t micro_batch, const targets::Teachers* teachers,
                           std::unique_ptr<ops::RecordedWork> recorded)
    : model_(model),
      optimizer_(optimizer),
      recipe_(recipe),
      compute_(compute),
      micro_batch_(micro_batch),
      teachers_(teachers),
      recorded_(std::move(recorded)),
      targets_(several_targets(recipe.pretrain().targets)) {
  const at::TensorOptions numbers = at::TensorOptions(at::kDouble).device(model.device());
  start_ = at::zeros({}, numbers);
  loss_ = at::zeros({}, numbers);
  target_losses_ = at::zeros({static_cast<int64_t>(targets_.size())}, numbers);
}

// Drains the device before the buffers that it may still write are freed.
QueuedUpdate::~QueuedUpdate() {
  try {
    for (; finished_ < enqueued_; ++finished_)
      transfers_->wait(static_cast<size_t>(finished_) % staging_.size());
  } catch (const std::exception&) {  // the device has failed; that was reported elsewhere
  }
}

void QueuedUpdate::Inputs::take(const Inputs& from) {
  images_BHWC.copy_(from.images_BHWC, /*non_blocking=*/true);
  order_BL.copy_(from.order_BL, /*non_blocking=*/true);
  neighbours_BL9.copy_(from.neighbours_BL9, /*non_blocking=*/true);
  lr.copy_(from.lr, /*non_blocking=*/true);
}

// The returned tensors are on the CPU, and some of them share the batch's memory.
QueuedUpdate::Inputs QueuedUpdate::inputs_of(const loader::Batch& batch, double lr) {
  masks::ViewPlan plan = masks::with_drawn_share(
      masks::plan_for_samples(batch.sample_ids, static_cast<uint64_t>(recipe_.run.seed),
                              static_cast<uint64_t>(batch.epoch), model_.grid(),
                              recipe_.pretrain().masks),
      recipe_.pretrain().decoder.share);
  Inputs inputs{models::images_of(batch), plan.order_BL, plan.neighbours_BL9,
                at::scalar_tensor(lr, at::kDouble)};
  if (is_first()) {
    plan_ = plan.to(model_.device());  // every step has views of the same sizes
    make_staging(inputs);
  }
  return inputs;
}

void QueuedUpdate::make_staging(const Inputs& first) {
  const auto on_device = [&](const at::Tensor& like) {
    return at::empty(like.sizes(), like.options().device(model_.device()));
  };
  inputs_ = first.each(on_device);
  inputs_.lr = optimizer_.queued_lr();
  plan_.order_BL = inputs_.order_BL;
  plan_.neighbours_BL9 = inputs_.neighbours_BL9;
  for (StagingBuffer& staging : staging_) {
    staging.device = first.each(on_device);
    staging.pinned = staging.device.each(ops::host_memory_like);
    staging.state = ops::host_memory_like(optimizer_.queued_state());
    staging.target_losses = ops::host_memory_like(target_losses_);
  }
  transfers_ = ops::make_transfers(model_.device());
}

void QueuedUpdate::enqueue(loader::Batch batch, const StepPlan& plan) {
  const int64_t images = is_first() ? batch.batch : inputs_.images_BHWC.size(0);
  require(batch.batch == images && batch.global_batch == recipe_.optim.batch_size,
          "QueuedUpdate: {} images of a batch of {}, expected {} of {}: every step has "
          "the same sizes",
          batch.batch, batch.global_batch, images, recipe_.optim.batch_size);
  // The step before last has finished, so its staging buffers are free.
  require(in_flight() < 2, "QueuedUpdate: enqueue() with {} steps in flight, expected fewer than 2",
          in_flight());
  const at::NoGradGuard no_grad;
  const Inputs inputs = inputs_of(batch, plan.lr);
  const auto slot = static_cast<size_t>(enqueued_) % staging_.size();
  StagingBuffer& staging = staging_[slot];
  staging.pinned.take(inputs);
  transfers_->upload([&] { staging.device.take(staging.pinned); });
  inputs_.take(staging.device);
  run();
  staging.state.copy_(optimizer_.queued_state(), /*non_blocking=*/true);
  staging.target_losses.copy_(target_losses_, /*non_blocking=*/true);
  transfers_->mark(slot);
  ++enqueued_;
}

void QueuedUpdate::run() {
  if (recorded_ == nullptr) return work();
  if (!is_recorded_) {
    // Recording runs the work a few times to warm up. A NaN loss makes the optimizer skip these
    // steps.
    start_.fill_(std::numeric_limits<double>::quiet_NaN());
    recorded_->record([this] { work(); });
    start_.zero_();
    is_recorded_ = true;
  }
  recorded_->replay();
}

void QueuedUpdate::work() {
  const int64_t batch = inputs_.images_BHWC.size(0);
  optimizer_.zero_gradients();
  loss_.copy_(start_);
  target_losses_.zero_();
  for (int64_t first = 0; first < batch; first += micro_batch_) {
    const int64_t count = std::min(micro_batch_, batch - first);
    const double share = static_cast<double>(count) / static_cast<double>(recipe_.optim.batch_size);
    const at::AutoGradMode with_gradients(true);
    add(forward_backward(model_, inputs_.images_BHWC.narrow(0, first, count),
                         part_of(plan_, first, count), recipe_, compute_, share, teachers_),
        share);
  }
  optimizer_.queue_step(loss_);
}

void QueuedUpdate::add(const Losses& losses, double share) {
  const at::NoGradGuard no_grad;
  loss_.add_(losses.loss);
  for (size_t i = 0; i < targets_.size(); ++i) {
    const at::Tensor& loss = losses.of_targets.at(targets_[i]);
    target_losses_[static_cast<int64_t>(i)].add_(loss.to(at::kDouble) * share);
  }
}

StepResult QueuedUpdate::wait_result() {
  require(in_flight() > 0,
          "QueuedUpdate: wait_result() with no step in flight, expected enqueue() before");
  const auto slot = static_cast<size_t>(finished_++) % staging_.size();
  const StagingBuffer& staging = staging_[slot];
  transfers_->wait(slot);
  ops::AdamWState state{};
  std::memcpy(&state, staging.state.const_data_ptr(), sizeof state);
  optimizer_.count_queued(state);
  StepResult result{state.loss, state.norm, state.applied != 0, {}};
  const double* losses = staging.target_losses.const_data_ptr<double>();
  for (size_t i = 0; i < targets_.size(); ++i) result.target_losses[targets_[i]] = losses[i];
  return result;
}

}  // namespace fcm::train
