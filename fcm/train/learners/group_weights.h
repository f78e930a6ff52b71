// Weights and optimizer steps of a group of ranks: which share of the weights a rank updates, and
// how it gets the shares that other ranks update.
#pragma once

#include <memory>

#include "fcm/dist/group.h"
#include "fcm/nn/parameters.h"
#include "fcm/optim/adamw.h"

namespace fcm::train {

// If all ranks train on the CPUs of one machine, they keep the weights in shared memory, and each
// updates its share in place. Otherwise each rank has its own copy of the weights. It updates all
// of them or, with `shard`, only its share, which it then sends to the other ranks. The bits are
// the same in all three cases.
//
// Between the end of the gradients' all-reduce and complete(), other ranks may write the weights,
// so a rank must not read them then.
class GroupWeights {
 public:
  // If the ranks share memory, the weights are those of rank 0.
  GroupWeights(std::shared_ptr<dist::Group> group, nn::Parameters& parameters, bool shard);

  // The part of the flat buffers whose moments this rank keeps and which it updates.
  optim::ElementRange share() const;
  // Whether this rank needs the summed gradients of its share alone.
  bool needs_share_alone() const { return in_shared_memory_; }
  // L2 norm of the summed gradients, in float64. Several ranks on CPUs sum the squares part by part
  // (dist/part.h), so the bits are the same in every rank, with and without shared memory.
  // Non-finite if any gradient is.
  double gradient_norm() const;
  // Call after the optimizer step: returns when this rank has all updated weights.
  void complete();
  // Call before rank 0 writes a checkpoint: sends all moments to rank 0. optimizer.keep_share()
  // frees the moments of other ranks again.
  void collect_moments(optim::AdamW& optimizer);

 private:
  optim::ElementRange share_of(int64_t rank) const;

  std::shared_ptr<dist::Group> group_;
  nn::Parameters& parameters_;
  bool in_shared_memory_;
  bool divided_;
};

}  // namespace fcm::train
