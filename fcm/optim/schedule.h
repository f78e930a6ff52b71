// The learning rate of a step.
#pragma once

#include <cstdint>

#include "fcm/optim/options.h"

namespace fcm::optim {

// A parameter group's learning rate is common + lr_scale * (lr - common). `common` makes schedules
// by epochs start their warm-up at one rate for all groups, and cosine_from_start end at min_lr for
// all groups, as in SimMIM. Schedules by steps have common = 0.
struct Rate {
  double lr = 0, common = 0;
};

// For schedules by epochs, at a fractional epoch: rises from options.first_lr() at the start to the
// peak options.lr() at warmup_epochs, then follows optim.schedule. "cosine" falls to min_lr at the
// last epoch and stays there; if the warm-up takes the whole run, the rate then stays at the peak.
Rate rate_at_epoch(const OptimOptions& options, double epoch);
double lr_at_epoch(const OptimOptions& options, double epoch);  // for a group of scale 1

// Number of steps of a run: optim.steps, or those of its epochs.
int64_t steps_of_run(const OptimOptions& options, int64_t steps_per_epoch);

// Learning rate of step `step`, counted from 0 over the whole run.
//   cosine                    the first step has the initial rate, as upstream
//   poly                      mmcv's: lr * (1 - step / steps), during warm-up times a factor that
//                             rises linearly from warmup_lr / base_lr to 1
//   step_cosine, step_drops   detectron2's WarmupParamScheduler: the schedule counts from the first
//                             step of the run, but during warm-up the rate rises linearly from
//                             first_lr() to the schedule's value at the end of the warm-up
//   cosine_from_start, drops  timm's, which updates the rate after a step: each step has the
//                             schedule's value of the step before it, so the first two steps have
//                             the initial rate
Rate rate_at_step(const OptimOptions& options, int64_t step, int64_t steps_per_epoch);
double lr_at_step(const OptimOptions& options, int64_t step, int64_t steps_per_epoch);

}  // namespace fcm::optim
