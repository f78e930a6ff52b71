#include "fcm/optim/schedule.h"

#include <cmath>
#include <numbers>

#include "fcm/base/error.h"

namespace fcm::optim {

double lr_at_epoch(const OptimOptions& options, double epoch) {
  const double peak = options.lr();
  if (epoch < options.warmup_epochs) return peak * epoch / options.warmup_epochs;
  // The published formula rises again after the last epoch, where it is never asked.
  if (epoch >= options.epochs) {
    return options.warmup_epochs >= options.epochs ? peak : options.min_lr;
  }
  const double progress =
      (epoch - options.warmup_epochs) / (options.epochs - options.warmup_epochs);
  return options.min_lr +
         (peak - options.min_lr) * 0.5 * (1.0 + std::cos(std::numbers::pi * progress));
}

double lr_at_step(const OptimOptions& options, int64_t step, int64_t steps_per_epoch) {
  require(step >= 0 && steps_per_epoch >= 1, "learning rate of step {} with {} steps an epoch",
          step, steps_per_epoch);
  const double within =
      static_cast<double>(step % steps_per_epoch) / static_cast<double>(steps_per_epoch);
  return lr_at_epoch(options, within + static_cast<double>(step / steps_per_epoch));
}

}  // namespace fcm::optim
