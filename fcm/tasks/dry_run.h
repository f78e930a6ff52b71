// What a run would be: nothing is trained, nothing is written.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <nlohmann/json.hpp>

#include "fcm/recipe/recipe.h"
#include "fcm/tasks/tasks.h"

namespace fcm::tasks {

struct DryRun {
  const recipe::Recipe& recipe;
  const Machine& machine;
  at::Device device = at::kCPU;
  int64_t parameters = 0;  // that are trained
  int64_t images = 0;      // of the training split
  int64_t threads = 1;
};

// The recipe in numbers: steps, parameters, operations; what memory the run needs, an estimate from
// above, and the machine has; and "hours_per_epoch_at_least", at the rate of a large product
// measured now, which no step exceeds. bench tune measures real steps.
nlohmann::json dry_run(const DryRun& run);

}  // namespace fcm::tasks
