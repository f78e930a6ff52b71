// Steps one after another: give() stores the batch, read() runs the step.
#pragma once

#include <utility>

#include "fcm/train/execution/execution.h"
#include "fcm/train/learner.h"

namespace fcm::train {

class EagerExecution final : public Execution {
 public:
  explicit EagerExecution(Learner& learner) : learner_(learner) {}

  void give(loader::Batch batch, const StepPlan& plan) override {
    batch_ = std::move(batch);
    plan_ = plan;
  }
  StepResult read() override { return learner_.update(batch_, plan_); }
  int64_t most_unread() const override { return 1; }

 private:
  Learner& learner_;
  loader::Batch batch_;
  StepPlan plan_;
};

}  // namespace fcm::train
