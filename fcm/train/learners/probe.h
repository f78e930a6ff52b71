// The published linear probe as something that learns: a frozen encoder, batch normalisation
// without weights, a linear layer, LARS. Source: ConvMAE's and MAE's main_linprobe.py.
#pragma once

#include <cstdint>

#include "fcm/heads/batch_norm_probe.h"
#include "fcm/models/classifier.h"
#include "fcm/optim/lars.h"
#include "fcm/recipe/recipe.h"
#include "fcm/train/learner.h"

namespace fcm::train {

// LARS's momentum is optim.beta1, its trust coefficient the published one.
class ProbeLearner final : public Learner {
 public:
  // The encoder is what gives features; its own head has no part in it.
  ProbeLearner(models::Classifier encoder, const recipe::Recipe& recipe,
               std::shared_ptr<dist::Group> group = dist::group_of_one());

  at::Tensor logits(const loader::Batch& batch) const;  // [B, classes], on the CPU

  // Features of micro-batches, then one pass of the head over the whole batch, of all ranks, by
  // whose own statistics it normalises.
  StepResult update(const loader::Batch& batch, const StepPlan& plan) override;
  void ask_for(loader::LoaderRequest& request) const override {
    request.targets = loader::TargetKind::kLabel;
    request.augment = recipe_.classify().augment;
  }
  at::Device device() const override { return encoder_.device(); }
  int64_t trainable_elements() const override { return head_parameters_.trainable_elements(); }
  int64_t updates() const override { return updates_; }
  // The published names: the encoder's, head.0.running_mean, head.0.running_var, head.1.weight,
  // head.1.bias; of the optimizer "mu.<name>".
  PublishedTensors model_state() const override;
  PublishedTensors optimizer_state() const override;
  void restore(const checkpoint::Checkpoint& from) override;

  void load_weights(const checkpoint::Checkpoint& from);  // not the optimizer's state

  const models::Classifier& encoder() const { return encoder_; }
  const nn::Parameters& head_parameters() const { return head_parameters_; }

 private:
  // [B, C] of images first .. first + count.
  at::Tensor features(const loader::Batch& batch, int64_t first, int64_t count) const;

  const recipe::Recipe recipe_;
  at::ScalarType compute_;
  models::Classifier encoder_;
  nn::Parameters head_parameters_;
  heads::BatchNormProbe head_;
  optim::Lars optimizer_;
  int64_t updates_ = 0;
};

}  // namespace fcm::train
