// Runs steps one after another: enqueue() stores the batch, wait_result() runs the step.
#pragma once

#include <utility>

#include "fcm/train/execution/execution.h"
#include "fcm/train/learner.h"

namespace fcm::train {

class EagerExecution final : public Execution {
 public:
  explicit EagerExecution(Learner& learner) : learner_(learner) {}

  void enqueue(loader::Batch batch, const StepPlan& plan) override {
    batch_ = std::move(batch);
    plan_ = plan;
  }
  StepResult wait_result() override { return learner_.update(batch_, plan_); }
  int64_t max_in_flight() const override { return 1; }

 private:
  Learner& learner_;
  loader::Batch batch_;
  StepPlan plan_;
};

}  // namespace fcm::train
