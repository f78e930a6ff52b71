// Memory for a micro-batch where this process may not use all of the machine's.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "fcm/recipe/recipe.h"

namespace fcm::train {

// The memory in bytes for recipe::choose_micro_batch: total_memory_bytes, unless a control group
// allows less than the machine has. There the process is killed at the limit, so this subtracts the
// program, the weights (`elements` of them trainable), their gradients and moments and the loader's
// batches, and allows for the peak of a backward pass. `ranks_here` processes share the memory.
double memory_for_images(const recipe::Recipe& recipe, int64_t elements, at::Device device,
                         int64_t ranks_here);

// The same from given facts: `limit` is the control group's, `resident` the current resident size,
// both in bytes.
double memory_within(double limit, double resident, const recipe::Recipe& recipe, int64_t elements);

}  // namespace fcm::train
