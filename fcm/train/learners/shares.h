// Moments and updates divided among the ranks of a group (optim.shard).
#pragma once

#include "fcm/dist/group.h"
#include "fcm/nn/parameters.h"
#include "fcm/optim/adamw.h"

namespace fcm::train {

// The part of the flat buffers that this rank updates: all of it where `shard` is false or there is
// one rank.
optim::Share share_of(const dist::Group& group, const nn::Parameters& parameters, bool shard);

// After an update of each rank's share: every rank gets the others'.
void exchange_shares(dist::Group& group, const nn::Parameters& parameters,
                     const optim::AdamW& optimizer);

// Before a checkpoint, which rank 0 writes: it gets everyone's moments. optimizer.keep_share() ends
// that.
void collect_moments(dist::Group& group, const nn::Parameters& parameters, optim::AdamW& optimizer);

}  // namespace fcm::train
