// Weights and optimizer steps of a group of ranks: which share a rank updates, and how it gets the
// others'.
#pragma once

#include <memory>

#include "fcm/dist/group.h"
#include "fcm/nn/parameters.h"
#include "fcm/optim/adamw.h"

namespace fcm::train {

// Ranks on one machine keep the weights in shared memory, and each updates its share in place.
// Otherwise each rank has its own weights and updates all of them or, with `shard`, its share,
// which it sends to the others. The bits are the same.
//
// A rank may read weights at any time except between the end of the gradients' all-reduce, after
// which no rank needs the old ones, and complete().
class GroupWeights {
 public:
  // Ranks that share memory take rank 0's values.
  GroupWeights(std::shared_ptr<dist::Group> group, nn::Parameters& parameters, bool shard);

  // The part of the flat buffers whose moments this rank keeps and which it updates.
  optim::Share share() const;
  // Whether this rank needs the summed gradients of its share alone.
  bool needs_share_alone() const { return in_shared_memory_; }
  // L2 norm of the summed gradients, in float64, added up by the ranks' parts: the same bits in
  // every rank and for every way of sharing. Non-finite if any gradient is.
  double gradient_norm() const;
  // After a step: returns when this rank has all updated weights.
  void complete();
  // Before a checkpoint, which rank 0 writes: sends all moments to rank 0. optimizer.keep_share()
  // drops them again.
  void collect_moments(optim::AdamW& optimizer);

 private:
  optim::Share share_of(int64_t rank) const;

  std::shared_ptr<dist::Group> group_;
  nn::Parameters& parameters_;
  bool in_shared_memory_;
  bool divided_;
};

}  // namespace fcm::train
