// Gradients and losses of a step, summed over the ranks of a group.
#pragma once

#include <memory>

#include "fcm/dist/reducer.h"
#include "fcm/nn/parameters.h"
#include "fcm/train/learners/group_weights.h"
#include "fcm/train/step.h"

namespace fcm::train {

// Does nothing in a group of one. Ranks whose weights are in shared memory get the sums of their
// share alone (GroupWeights::share); the rest of the gradients is undefined after finish().
class GroupGradients {
 public:
  // Moves the gradients of `parameters` to a buffer of the group.
  GroupGradients(const std::shared_ptr<dist::Group>& group, nn::Parameters& parameters,
                 const GroupWeights& weights);

  // Call before the backward pass of the last micro-batch.
  void begin_last_pass();
  // Waits for the gradients. Replaces the losses of `mine`, this rank's shares of the batch, by the
  // sums over the group.
  void finish(StepResult& mine);

 private:
  nn::Parameters& parameters_;
  std::unique_ptr<dist::Reducer> reducer_;  // nullptr: one rank
};

}  // namespace fcm::train
