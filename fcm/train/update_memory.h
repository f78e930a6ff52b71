// Memory available to a micro-batch, also under the memory limit of a control group (cgroup).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "fcm/recipe/recipe.h"

namespace fcm::train {

// The memory in bytes for recipe::choose_micro_batch: total_memory_bytes, unless a control group
// allows less than the machine has. The kernel kills a process that exceeds such a limit, so the
// function then subtracts the resident size (program and weights), the gradients and moments of
// `elements` trainable weights and the loader's batches, and allows for the peak of a backward
// pass. `ranks_here` processes share the memory.
double memory_for_images(const recipe::Recipe& recipe, int64_t elements, at::Device device,
                         int64_t ranks_here);

// The case of a control group: `limit` is its memory limit and `resident` the resident size of this
// process, both in bytes.
double memory_within(double limit, double resident, const recipe::Recipe& recipe, int64_t elements);

}  // namespace fcm::train
