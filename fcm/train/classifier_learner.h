// A classifier that learns with all its weights: AdamW with layer decay, and a moving average of
// the weights where the recipe asks for one.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

#include "fcm/models/classifier.h"
#include "fcm/optim/adamw.h"
#include "fcm/train/finetune_recipe.h"
#include "fcm/train/learner.h"

namespace fcm::train {

// `recipe` must outlive it.
class ClassifierLearner final : public Learner {
 public:
  // Takes the model as it is: its weights are the first of the moving average.
  ClassifierLearner(models::Classifier model, const FinetuneRecipe& recipe);

  const models::Classifier& model() const { return model_; }
  // classifier.ema_decay: after every update average = decay * average + (1 - decay) * weights, as
  // timm's ModelEma. nullptr: there is none.
  const models::Classifier* average() const { return average_.get(); }
  // What is measured and kept: the average if there is one.
  const models::Classifier& best() const { return average_ ? *average_ : model_; }

  // Erasing, mixup and cutmix, drop path, then the cross-entropy with targets smoothed and mixed as
  // [augment] says. Clipping as optim.clip_norm says.
  StepResult update(const loader::Batch& batch, int64_t micro_batch, double lr) override;
  at::Device device() const override { return model_.device(); }
  int64_t trainable_elements() const override { return model_.parameters().trainable_elements(); }
  int64_t updates() const override { return optimizer_.steps(); }
  PublishedTensors model_state() const override { return model_tensors(model_.parameters()); }
  PublishedTensors optimizer_state() const override;
  void restore(const checkpoint::Checkpoint& from) override;

 private:
  const FinetuneRecipe& recipe_;
  at::ScalarType compute_;
  models::Classifier model_;
  std::unique_ptr<models::Classifier> average_;
  optim::AdamW optimizer_;
};

// Pictures of a batch as the network gets them, on its device: [B, L, P, D], float32, patches in
// raster order.
at::Tensor pixels_of(const loader::Batch& batch, const models::Classifier& model,
                     const loader::DataOptions& options);

// Logits [B, classes], float32, on the CPU, of a batch as it was loaded. Makes no graph.
at::Tensor logits_of(const models::Classifier& model, const loader::Batch& batch,
                     const loader::DataOptions& options, at::ScalarType compute);

}  // namespace fcm::train
