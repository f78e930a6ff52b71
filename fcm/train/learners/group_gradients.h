// Gradients and losses of an update, summed over the ranks of a group.
#pragma once

#include <memory>

#include "fcm/dist/reducer.h"
#include "fcm/nn/parameters.h"
#include "fcm/train/step.h"

namespace fcm::train {

// In a group of one nothing is done.
class GroupGradients {
 public:
  // The gradients of `parameters` move to memory of the group.
  GroupGradients(const std::shared_ptr<dist::Group>& group, nn::Parameters& parameters);

  // Before the backward pass of the last micro-batch.
  void begin_last_pass();
  // Waits for the gradients, and makes the losses of `mine`, shares of the whole batch, those of
  // the group.
  void finish(StepResult& mine);

 private:
  nn::Parameters& parameters_;
  std::unique_ptr<dist::Reducer> reducer_;  // nullptr: one rank
};

}  // namespace fcm::train
