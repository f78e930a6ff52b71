// What a loop over labelled pictures trains (finetune.h): weights, their optimizer, one update.
#pragma once

#include <cstdint>

#include "fcm/checkpoint/checkpoint.h"
#include "fcm/loader/loader.h"
#include "fcm/train/state.h"
#include "fcm/train/step.h"

namespace fcm::train {

class Learner {
 public:
  Learner() = default;
  Learner(const Learner&) = delete;  // optimizers refer to the parameters beside them
  Learner& operator=(const Learner&) = delete;
  virtual ~Learner() = default;

  // One update at the scheduled rate `lr`, forward and backward over micro-batches. A loss or
  // gradient that is not finite leaves everything as it was. Throws Error(kData) for a picture
  // without a label.
  virtual StepResult update(const loader::Batch& batch, int64_t micro_batch, double lr) = 0;

  virtual at::Device device() const = 0;
  virtual int64_t trainable_elements() const = 0;
  virtual int64_t updates() const = 0;  // that were applied

  // What a checkpoint holds, and back: the bits of all that decides the next update.
  virtual PublishedTensors model_state() const = 0;
  virtual PublishedTensors optimizer_state() const = 0;
  // Throws Error(kCheckpoint) for the state of another model.
  virtual void restore(const checkpoint::Checkpoint& from) = 0;
};

}  // namespace fcm::train
