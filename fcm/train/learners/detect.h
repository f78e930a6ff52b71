// Fine-tunes all weights of a detector: AdamW, and the five losses of Mask R-CNN.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

#include "fcm/models/detector.h"
#include "fcm/optim/adamw.h"
#include "fcm/recipe/recipe.h"
#include "fcm/train/learner.h"
#include "fcm/train/learners/group_gradients.h"
#include "fcm/train/learners/group_weights.h"

namespace fcm::train {

// `recipe` must outlive the learner.
class DetectorLearner final : public Learner {
 public:
  DetectorLearner(models::Detector model, const recipe::Recipe& recipe,
                  std::shared_ptr<dist::Group> group = dist::group_of_one());

  const models::Detector& model() const { return model_; }
  const optim::AdamW& optimizer() const { return optimizer_; }

  // Batch normalisation uses the statistics of one pass (passes.h) over all ranks, and the losses
  // of regions are means over a pass. Both equal upstream's if one pass is the whole batch. Random
  // draws of drop path, anchors and regions are keyed by step and sample. A step in which any rank
  // has non-finite proposals is skipped.
  StepResult update(const loader::Batch& batch, const StepPlan& plan) override;
  void configure_loader(loader::LoaderRequest& request) const override;
  at::Device device() const override { return model_.device(); }
  int64_t trainable_elements() const override { return model_.parameters().trainable_elements(); }
  int64_t updates() const override { return optimizer_.steps(); }
  PublishedTensors model_state() const override { return model_tensors(model_.parameters()); }
  PublishedTensors optimizer_state() const override {
    return optimizer_tensors(model_.parameters(), optimizer_);
  }
  void begin_saving() override;
  void end_saving() override { optimizer_.keep_share(); }
  void restore(const checkpoint::Checkpoint& from) override;

 private:
  // Runs forward and backward of `count` images from `first` on; adds their gradients and losses.
  void pass(const loader::Batch& batch, int64_t first, int64_t count, const StepPlan& plan,
            bool is_last, StepResult& result);

  const recipe::Recipe& recipe_;
  at::ScalarType compute_;
  models::Detector model_;
  GroupWeights weights_;
  optim::AdamW optimizer_;
  GroupGradients gradients_;
};

}  // namespace fcm::train
