// A learner whose steps a test can change.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "fcm/train/learners/pretrain.h"
#include "tests/train/wrapped_learner.h"

namespace fcm::train {

class ChangedLearner final : public WrappedLearner<PretrainLearner> {
 public:
  // Performs step `number`, counted from 0 in this launch. Usually calls `plain`, the unchanged
  // step.
  using Plain = std::function<StepResult()>;
  using Change =
      std::function<StepResult(int64_t number, const StepPlan& plan, const Plain& plain)>;

  ChangedLearner(PretrainLearner& inner, Change change)
      : WrappedLearner(inner), change_(std::move(change)) {}

  StepResult update(const loader::Batch& batch, const StepPlan& plan) override {
    return change_(made_++, plan, [&] { return inner_.update(batch, plan); });
  }

 private:
  Change change_;
  int64_t made_ = 0;
};

}  // namespace fcm::train
