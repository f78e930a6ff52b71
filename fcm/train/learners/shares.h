// Optimizer state and parameter updates sharded over the ranks of a group (optim.shard).
#pragma once

#include "fcm/dist/group.h"
#include "fcm/nn/parameters.h"
#include "fcm/optim/adamw.h"

namespace fcm::train {

// The part of the flat buffers that this rank updates: all of them if `shard` is false or there is
// one rank.
optim::Share share_of(const dist::Group& group, const nn::Parameters& parameters, bool shard);

// After each rank has updated its share: every rank gets the others'.
void exchange_shares(dist::Group& group, const nn::Parameters& parameters,
                     const optim::AdamW& optimizer);

// Before rank 0 writes a checkpoint: it gathers the moments of all ranks. optimizer.keep_share()
// drops them afterwards.
void collect_moments(dist::Group& group, const nn::Parameters& parameters, optim::AdamW& optimizer);

}  // namespace fcm::train
