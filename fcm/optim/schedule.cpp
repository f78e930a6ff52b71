#include "fcm/optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "fcm/base/error.h"

namespace fcm::optim {

namespace {

// SimMIM's schedules, which count from the start of the run.
Rate rate_from_start(const OptimOptions& options, double epoch) {
  const double peak = options.lr();
  if (options.schedule == "drops") {
    double lr = peak;
    for (const double drop_epoch : options.drop_epochs) {
      if (epoch >= drop_epoch) lr *= options.drop;
    }
    return {lr, 0};
  }
  const double share = epoch >= options.epochs
                           ? 0
                           : 0.5 * (1.0 + std::cos(std::numbers::pi * epoch / options.epochs));
  return {options.min_lr + share * (peak - options.min_lr), options.min_lr * (1 - share)};
}

}  // namespace

Rate rate_at_epoch(const OptimOptions& options, double epoch) {
  require(!options.goes_by_steps(),
          "learning rate of epoch {}: expected a schedule by epochs, got {}", epoch,
          options.schedule);
  const double peak = options.lr(), first = options.first_lr();
  if (epoch < options.warmup_epochs) {
    const double done = epoch / options.warmup_epochs;
    return {first + (peak - first) * done, first * (1 - done)};
  }
  if (options.schedule != "cosine") return rate_from_start(options, epoch);
  // Upstream's formula rises again after the last epoch, where upstream never evaluates it.
  if (epoch >= options.epochs) {
    return {options.warmup_epochs >= options.epochs ? peak : options.min_lr, 0};
  }
  const double progress =
      (epoch - options.warmup_epochs) / (options.epochs - options.warmup_epochs);
  return {options.min_lr +
              (peak - options.min_lr) * 0.5 * (1.0 + std::cos(std::numbers::pi * progress)),
          0};
}

double lr_at_epoch(const OptimOptions& options, double epoch) {
  return rate_at_epoch(options, epoch).lr;
}

int64_t steps_of_run(const OptimOptions& options, int64_t steps_per_epoch) {
  if (options.steps > 0) return options.steps;
  return std::llround(options.epochs * static_cast<double>(steps_per_epoch));
}

namespace {

double poly_lr(const OptimOptions& options, int64_t step, int64_t steps) {
  const auto share = [step](double of) { return std::min(1.0, static_cast<double>(step) / of); };
  const double lr = options.lr() * (1 - share(static_cast<double>(steps)));
  if (static_cast<double>(step) >= options.warmup_steps) return lr;
  const double first = options.base_lr > 0 ? options.warmup_lr / options.base_lr : 1;
  return lr * (1 - (1 - share(options.warmup_steps)) * (1 - first));
}

// Factor of the peak rate after the warm-up, at a possibly fractional step.
double share_of_peak(const OptimOptions& options, double step, double steps) {
  if (options.schedule == "step_cosine") {
    return step >= steps ? 0 : 0.5 * (1 + std::cos(std::numbers::pi * step / steps));
  }
  double share = 1;
  for (const int64_t drop : options.drop_steps) {
    if (step >= static_cast<double>(drop)) share *= options.drop;
  }
  return share;
}

double warmed_up_lr(const OptimOptions& options, int64_t at, int64_t of) {
  const auto step = static_cast<double>(at), steps = static_cast<double>(of);
  const double warmup = options.warmup_steps;
  if (step >= warmup) return options.lr() * share_of_peak(options, step, steps);
  const double first = options.first_lr();
  return first + (options.lr() * share_of_peak(options, warmup, steps) - first) * step / warmup;
}

}  // namespace

Rate rate_at_step(const OptimOptions& options, int64_t step, int64_t steps_per_epoch) {
  require(
      step >= 0 && steps_per_epoch >= 1,
      "learning rate: expected step >= 0 and at least 1 step per epoch, got step {} and {} steps",
      step, steps_per_epoch);
  if (options.goes_by_steps()) {
    const auto lr = options.schedule == "poly" ? poly_lr : warmed_up_lr;
    return {lr(options, step, steps_of_run(options, steps_per_epoch)), 0};
  }
  if (options.schedule != "cosine") step = std::max<int64_t>(step - 1, 0);
  const double within =
      static_cast<double>(step % steps_per_epoch) / static_cast<double>(steps_per_epoch);
  const int64_t epochs = step / steps_per_epoch;
  return rate_at_epoch(options, within + static_cast<double>(epochs));
}

double lr_at_step(const OptimOptions& options, int64_t step, int64_t steps_per_epoch) {
  return rate_at_step(options, step, steps_per_epoch).lr;
}

}  // namespace fcm::optim
