// The learning rate of a step: linear warm-up from 0, then half a cosine down to min_lr.
#pragma once

#include <cstdint>

#include "fcm/optim/options.h"

namespace fcm::optim {

// At a fractional epoch: 0 at the start, the peak options.lr() at warmup_epochs, min_lr at epochs
// and after. A warm-up that takes the whole run is not followed by a descent.
double lr_at_epoch(const OptimOptions& options, double epoch);

// Of update number `step`, counted from 0 over the whole run. The first update has rate 0 when
// there is a warm-up, as published.
double lr_at_step(const OptimOptions& options, int64_t step, int64_t steps_per_epoch);

}  // namespace fcm::optim
