// How the updates of a learner are carried out: one after another, or queued on a device.
#pragma once

#include <cstdint>

#include "fcm/loader/loader.h"
#include "fcm/train/step.h"

namespace fcm::train {

class Execution {
 public:
  virtual ~Execution() = default;

  // Starts an update.
  virtual void give(loader::Batch batch, const StepPlan& plan) = 0;
  // Waits for the oldest update that was given and not read, and tells its result.
  virtual StepResult read() = 0;
  // How many updates may be given and not read.
  virtual int64_t most_unread() const = 0;
};

}  // namespace fcm::train
