// The learning rate of a step.
#pragma once

#include <cstdint>

#include "fcm/optim/options.h"

namespace fcm::optim {

// What a group of parameters learns at: base + lr_scale * (lr - base). SimMIM's schedules begin
// their warm-up and end their cosine at the same rate for every group; of MAE's, base is 0.
struct Rate {
  double lr = 0, base = 0;
};

// Not for schedules by steps. At a fractional epoch: optim.warmup_lr at the start, the
// peak options.lr() at warmup_epochs, and then what optim.schedule says. "cosine": down to min_lr
// at epochs and after; a warm-up that takes the whole run is not followed by a descent.
Rate rate_at_epoch(const OptimOptions& options, double epoch);
double lr_at_epoch(const OptimOptions& options, double epoch);  // of a group of scale 1

// Updates of a run, from first to last: optim.steps, or those of its epochs.
int64_t steps_of_run(const OptimOptions& options, int64_t steps_per_epoch);

// Of update number `step`, counted from 0 over the whole run. "cosine": the first update has the
// rate of the start, as published. "poly", mmcv's: lr * (1 - step / steps), in the warm-up times a
// factor that rises in a line from warmup_lr / base_lr to 1. "step_cosine" and "step_drops",
// detectron2's WarmupParamScheduler: the warm-up rises in a line from warmup_lr to what the
// schedule, which began with the run, has reached where the warm-up ends. The others, timm's, are
// set behind an update, so that each has the rate of the one before, and the first two have that of
// the start.
Rate rate_at_step(const OptimOptions& options, int64_t step, int64_t steps_per_epoch);
double lr_at_step(const OptimOptions& options, int64_t step, int64_t steps_per_epoch);

}  // namespace fcm::optim
