// Trains upstream's linear probe on a frozen encoder with LARS. The probe is a linear layer after
// batch normalisation, which has no weights. Source: main_linprobe.py of ConvMAE and MAE.
#pragma once

#include <cstdint>

#include "fcm/heads/batch_norm_probe.h"
#include "fcm/models/classifier.h"
#include "fcm/optim/lars.h"
#include "fcm/recipe/recipe.h"
#include "fcm/train/learner.h"

namespace fcm::train {

// LARS's momentum is optim.beta1; its trust coefficient is upstream's.
class ProbeLearner final : public Learner {
 public:
  // Uses the encoder of the classifier `encoder`; the classifier's own head is unused.
  ProbeLearner(models::Classifier encoder, const recipe::Recipe& recipe,
               std::shared_ptr<dist::Group> group = dist::group_of_one());

  at::Tensor logits(const loader::Batch& batch) const;  // [B, classes], on the CPU

  // Computes features by micro-batches, then runs the head once over the features of the whole
  // batch of all ranks. Batch normalisation uses the statistics of the whole batch.
  StepResult update(const loader::Batch& batch, const StepPlan& plan) override;
  void configure_loader(loader::LoaderRequest& request) const override {
    request.targets = loader::TargetKind::kLabel;
    request.augment = recipe_.classify().augment;
  }
  at::Device device() const override { return encoder_.device(); }
  int64_t trainable_elements() const override { return head_parameters_.trainable_elements(); }
  int64_t updates() const override { return updates_; }
  // model_state: under upstream's names, the parameters of the encoder, head.0.running_mean,
  // head.0.running_var, head.1.weight and head.1.bias. optimizer_state: the momentum of parameter
  // <name> is "mu.<name>".
  PublishedTensors model_state() const override;
  PublishedTensors optimizer_state() const override;
  void restore(const checkpoint::Checkpoint& from) override;

  void load_weights(const checkpoint::Checkpoint& from);  // not the optimizer's state

  const models::Classifier& encoder() const { return encoder_; }
  const nn::Parameters& head_parameters() const { return head_parameters_; }

 private:
  // Features [count, C] of the images [first, first + count).
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
