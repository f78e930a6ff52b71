// Losses that jump away from the usual ones.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace fcm::train {

// The losses of the last applied updates and what was seen in them. Part of a checkpoint's state,
// so that a resumed run sees the same jumps.
struct LossHistory {
  std::vector<double> losses;  // oldest first
  int64_t spikes = 0;          // since the start of the run
  int64_t spikes_in_a_row = 0;
};

// A loss that jumped, and the usual one before it.
struct Spike {
  double loss = 0;
  double usual = 0;  // the median of the history
};

// Adds a finite loss to the history and says whether it is a spike: above the median of the last 64
// by more than half of it and by more than ten deviations (estimated by the median of distances,
// which a few spikes do not move). Never one before there are 16 losses. A level that stays is the
// usual one after 32 updates.
std::optional<Spike> add_loss(LossHistory& history, double loss);

// Takes the losses of the last spikes in a row out again: of updates that were undone.
void forget_spikes(LossHistory& history);

}  // namespace fcm::train
