// Weights and updates of a group: which part of them is a rank's, and how it gets the others'.
#pragma once

#include <memory>

#include "fcm/dist/group.h"
#include "fcm/nn/parameters.h"
#include "fcm/optim/adamw.h"

namespace fcm::train {

// Where all ranks are on one machine, the weights are the same memory in all of them: each updates
// its share where it lies. Elsewhere each rank has weights of its own, and updates all of them or,
// if `shard`, its share, which it sends to the others. The bits are the same.
//
// A rank may read weights at any time but from finish() of its gradients, when no rank needs them
// any more, to complete().
class GroupWeights {
 public:
  // What `parameters` are in rank 0, they are in all that have them in common.
  GroupWeights(std::shared_ptr<dist::Group> group, nn::Parameters& parameters, bool shard);

  // The part of the flat buffers whose moments this rank keeps and which it updates.
  optim::Share share() const;
  // After an update: this rank has all weights when it returns.
  void complete();
  // Before a checkpoint, which rank 0 writes: it gets everyone's moments. optimizer.keep_share()
  // ends that.
  void collect_moments(optim::AdamW& optimizer);

 private:
  optim::Share share_of(int64_t rank) const;

  std::shared_ptr<dist::Group> group_;
  nn::Parameters& parameters_;
  bool in_common_;
  bool divided_;
};

}  // namespace fcm::train
