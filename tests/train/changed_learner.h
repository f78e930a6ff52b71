// A learner whose updates a test may change.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "fcm/train/learners/pretrain.h"

namespace fcm::train {

class ChangedLearner final : public Learner {
 public:
  // Makes update number `number` (counted from 0, of this launch); usually calls `plain`.
  using Plain = std::function<StepResult()>;
  using Change =
      std::function<StepResult(int64_t number, const StepPlan& plan, const Plain& plain)>;

  ChangedLearner(PretrainLearner& inner, Change change)
      : inner_(inner), change_(std::move(change)) {}

  StepResult update(const loader::Batch& batch, const StepPlan& plan) override {
    return change_(made_++, plan, [&] { return inner_.update(batch, plan); });
  }
  void ask_for(loader::LoaderRequest& request) const override { inner_.ask_for(request); }
  at::Device device() const override { return inner_.device(); }
  int64_t trainable_elements() const override { return inner_.trainable_elements(); }
  int64_t updates() const override { return inner_.updates(); }
  PublishedTensors model_state() const override { return inner_.model_state(); }
  PublishedTensors optimizer_state() const override { return inner_.optimizer_state(); }
  void restore(const checkpoint::Checkpoint& from) override { inner_.restore(from); }

 private:
  PretrainLearner& inner_;
  Change change_;
  int64_t made_ = 0;
};

}  // namespace fcm::train
