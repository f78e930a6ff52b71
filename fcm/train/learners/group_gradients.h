// Sums the gradients and losses of a step over the ranks of a group.
#pragma once

#include <memory>

#include "fcm/dist/reducer.h"
#include "fcm/nn/parameters.h"
#include "fcm/train/learners/group_weights.h"
#include "fcm/train/step.h"

namespace fcm::train {

// Does nothing in a group of one. Ranks whose weights are in shared memory get only the sums of
// their own share (GroupWeights::share); all other gradients are undefined after finish().
class GroupGradients {
 public:
  // Moves the gradients of `parameters` to a buffer from Group::make_buffer.
  GroupGradients(const std::shared_ptr<dist::Group>& group, nn::Parameters& parameters,
                 const GroupWeights& weights);

  // Call before the backward pass of the last micro-batch.
  void begin_last_pass();
  // Waits for the summed gradients. Replaces the losses in `mine`, which are this rank's parts of
  // the batch losses, by the sums over the group.
  void finish(StepResult& mine);

 private:
  nn::Parameters& parameters_;
  std::unique_ptr<dist::Reducer> reducer_;  // nullptr: one rank
};

}  // namespace fcm::train
