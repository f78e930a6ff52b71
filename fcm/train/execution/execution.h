// Interface of how a learner's steps run: one after another, or enqueued on a GPU.
#pragma once

#include <cstdint>

#include "fcm/loader/loader.h"
#include "fcm/train/step.h"

namespace fcm::train {

class Execution {
 public:
  virtual ~Execution() = default;

  // Enqueues a step. It may run at once, or not before wait_result().
  virtual void enqueue(loader::Batch batch, const StepPlan& plan) = 0;
  // Waits for the oldest step in flight and returns its result.
  virtual StepResult wait_result() = 0;
  // How many steps may be in flight, that is enqueued without their results having been read.
  virtual int64_t max_in_flight() const = 0;
};

}  // namespace fcm::train
