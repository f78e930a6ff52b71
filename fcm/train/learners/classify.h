// Fine-tunes all weights of a classifier: AdamW with layer decay, and an EMA of the weights if the
// recipe sets one.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

#include "fcm/models/classifier.h"
#include "fcm/optim/adamw.h"
#include "fcm/recipe/recipe.h"
#include "fcm/train/learner.h"
#include "fcm/train/learners/group_gradients.h"
#include "fcm/train/learners/group_weights.h"

namespace fcm::train {

// `recipe` must outlive the learner.
class ClassifierLearner final : public Learner {
 public:
  // The EMA starts from the weights of `model`.
  ClassifierLearner(models::Classifier model, const recipe::Recipe& recipe,
                    std::shared_ptr<dist::Group> group = dist::group_of_one());

  const models::Classifier& model() const { return model_; }
  const optim::AdamW& optimizer() const { return optimizer_; }
  // The EMA of the weights: after every applied step, average = decay * average + (1 - decay) *
  // weights with decay = classifier.ema_decay, like timm's ModelEma. nullptr: no EMA.
  const models::Classifier* average() const { return average_.get(); }
  // The weights that are measured and saved as the best: the EMA if there is one.
  const models::Classifier& best() const { return average_ ? *average_ : model_; }

  // Applies random erasing, mixup, cutmix and drop path, then cross-entropy with smoothed and mixed
  // targets (recipe section [augment]). Clips gradients to optim.clip_norm.
  StepResult update(const loader::Batch& batch, const StepPlan& plan) override;
  void configure_loader(loader::LoaderRequest& request) const override {
    request.targets = loader::TargetKind::kLabel;
    request.augment = recipe_.classify().augment;
  }
  at::Device device() const override { return model_.device(); }
  int64_t trainable_elements() const override { return model_.parameters().trainable_elements(); }
  int64_t updates() const override { return optimizer_.steps(); }
  PublishedTensors model_state() const override { return model_tensors(model_.parameters()); }
  PublishedTensors optimizer_state() const override;
  void begin_saving() override;
  void end_saving() override { optimizer_.keep_share(); }
  void restore(const checkpoint::Checkpoint& from) override;

 private:
  const recipe::Recipe& recipe_;
  at::ScalarType compute_;
  models::Classifier model_;
  std::unique_ptr<models::Classifier> average_;
  GroupWeights weights_;
  optim::AdamW optimizer_;
  GroupGradients gradients_;
};

}  // namespace fcm::train
