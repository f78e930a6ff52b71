// Pretrains a masked autoencoder, which reconstructs its targets, with the teachers that compute
// the targets.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>

#include "fcm/models/masked_autoencoder.h"
#include "fcm/optim/adamw.h"
#include "fcm/recipe/recipe.h"
#include "fcm/targets/teachers.h"
#include "fcm/train/learner.h"
#include "fcm/train/learners/group_gradients.h"
#include "fcm/train/learners/group_weights.h"

namespace fcm::train {

// `recipe` must outlive the learner.
class PretrainLearner final : public Learner {
 public:
  // `teachers`: those of the recipe's targets; nullptr: only pixels are reconstructed. The EMA
  // teacher starts from the weights of `model`.
  PretrainLearner(models::MaskedAutoencoder model, const recipe::Recipe& recipe,
                  std::unique_ptr<targets::Teachers> teachers = nullptr,
                  std::shared_ptr<dist::Group> group = dist::group_of_one());

  models::MaskedAutoencoder& model() { return model_; }
  const models::MaskedAutoencoder& model() const { return model_; }
  const optim::AdamW& optimizer() const { return optimizer_; }
  targets::Teachers* teachers() { return teachers_.get(); }

  // Draws the mask plans of the samples, runs forward, backward and AdamW, then updates the EMA
  // teacher. Waits for the GPU; the execution that make_queued_execution() returns does not.
  StepResult update(const loader::Batch& batch, const StepPlan& plan) override;
  // nullptr in a group of several ranks, and with an EMA teacher, which follows only if the step
  // was applied.
  std::unique_ptr<Execution> make_queued_execution(int64_t micro_batch,
                                                   const MakeRecorder& record) override;
  // Creates recorders of CUDA graphs if `wanted`, on a GPU and without teachers; else empty.
  MakeRecorder recording(bool wanted) const;

  void configure_loader(loader::LoaderRequest& /*request*/) const override {}  // needs only images
  at::Device device() const override { return model_.device(); }
  int64_t trainable_elements() const override { return model_.parameters().trainable_elements(); }
  int64_t updates() const override { return optimizer_.steps(); }
  PublishedTensors model_state() const override { return model_tensors(model_.parameters()); }
  PublishedTensors optimizer_state() const override;
  // "scaler": the fp16 GradScaler state of an upstream checkpoint. It is not used, but written
  // again when the run is exported.
  nlohmann::json extra_state() const override;
  void begin_saving() override;
  void end_saving() override { optimizer_.keep_share(); }
  void restore(const checkpoint::Checkpoint& from) override;

  // Adds "ema_spread" and "ema_least_spread": the std of the EMA teacher's features over patches,
  // mean and minimum over dimensions. A teacher that gives nearly the same features for every patch
  // has collapsed; warns once.
  void add_to_step_line(nlohmann::json& line, int64_t step, Reporter& reporter) override;

 private:
  targets::EmaTeacher* ema() const { return teachers_ ? teachers_->ema() : nullptr; }

  const recipe::Recipe& recipe_;
  at::ScalarType compute_;
  models::MaskedAutoencoder model_;
  std::unique_ptr<targets::Teachers> teachers_;
  GroupWeights weights_;
  optim::AdamW optimizer_;
  GroupGradients gradients_;
  nlohmann::json scaler_;
  std::optional<targets::Spread> ema_spread_;  // of the last applied step
  bool warned_of_collapse_ = false;
};

}  // namespace fcm::train
