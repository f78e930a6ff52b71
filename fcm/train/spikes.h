// Detection of loss spikes.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace fcm::train {

// The losses of the last 64 applied steps, and counts of spikes. Part of a checkpoint's state, so
// that a resumed run detects the same spikes.
struct LossHistory {
  std::vector<double> losses;  // oldest first
  int64_t spikes = 0;          // since the start of the run
  int64_t spikes_in_a_row = 0;
};

// The loss of a spike, and the level before it.
struct Spike {
  double loss = 0;
  double median = 0;  // the median of the history
};

// Adds a finite loss to the history, and returns it as a Spike if it is one. A spike is above the
// median of the last 64 losses by more than half the median and by more than ten standard
// deviations (estimated from the median absolute deviation, which a few spikes barely change). The
// first 16 losses are never spikes. A loss that stays at a higher level counts as normal after 32
// steps.
std::optional<Spike> add_loss(LossHistory& history, double loss);

// Removes the losses of the last spikes in a row, whose steps were rolled back.
void forget_spikes(LossHistory& history);

}  // namespace fcm::train
