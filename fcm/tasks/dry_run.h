// The numbers of a run, without training or writing anything.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <nlohmann/json.hpp>

#include "fcm/recipe/recipe.h"
#include "fcm/tasks/tasks.h"

namespace fcm::tasks {

struct DryRun {
  const recipe::Recipe& recipe;
  const MachineOptions& machine;
  at::Device device = at::kCPU;
  int64_t parameters = 0;  // trainable
  int64_t images = 0;      // in the training split
  int64_t threads = 1;
};

// Steps, parameters and FLOPs of the recipe; the memory the run needs (an upper estimate) and the
// machine has; and "hours_per_epoch_at_least", at the speed of a large matrix product measured now,
// which no step exceeds. bench tune measures real steps.
nlohmann::json dry_run(const DryRun& run);

}  // namespace fcm::tasks
