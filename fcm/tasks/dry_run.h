// Computes what a run would need, without training or writing anything.
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
  int64_t parameters = 0;  // number of trainable parameters
  int64_t images = 0;      // in the training split
  int64_t threads = 1;
};

// Returns, among other facts, steps, parameters and FLOPs of the recipe, the memory for weights,
// gradients, moments and activations (an upper estimate), the memory of the device, and
// "hours_per_epoch_at_least". The hours assume the speed of a large matrix product, which is
// measured now and which no step exceeds. `bench tune` measures real steps.
nlohmann::json dry_run(const DryRun& run);

}  // namespace fcm::tasks
