// Fine-tunes all weights of a segmenter: AdamW with layer decay, cross-entropy of the decode head
// and the auxiliary head.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

#include "fcm/models/segmenter.h"
#include "fcm/optim/adamw.h"
#include "fcm/recipe/recipe.h"
#include "fcm/train/learner.h"
#include "fcm/train/learners/group_gradients.h"
#include "fcm/train/learners/group_weights.h"

namespace fcm::train {

// `recipe` must outlive the learner.
class SegmenterLearner final : public Learner {
 public:
  SegmenterLearner(models::Segmenter model, const recipe::Recipe& recipe,
                   std::shared_ptr<dist::Group> group = dist::group_of_one());

  const models::Segmenter& model() const { return model_; }
  const optim::AdamW& optimizer() const { return optimizer_; }

  // Batch normalisation uses the statistics of one pass (passes.h) over all ranks, which equal
  // upstream's if one pass is the whole batch. Drop path and dropout are drawn per image. Throws
  // Error(kUsage) if a pass has one image over all ranks.
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
  // "decode_acc": percentage of pixels that the decode head classifies correctly since the last
  // line of the log; pixels without a class count as wrong.
  void add_to_step_line(nlohmann::json& line, int64_t step, Reporter& reporter) override;

 private:
  const recipe::Recipe& recipe_;
  at::ScalarType compute_;
  models::Segmenter model_;
  GroupWeights weights_;
  optim::AdamW optimizer_;
  GroupGradients gradients_;
  int64_t correct_ = 0, pixels_ = 0;  // of this rank, since the last line of the log
};

}  // namespace fcm::train
