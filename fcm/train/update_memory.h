// How large a micro-batch may be where this process may not use all of the machine's memory.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "fcm/recipe/recipe.h"

namespace fcm::train {

// What recipe::choose_micro_batch is to share out, in bytes: all that total_memory_bytes tells,
// except where a control group allows less than the machine has. There the process is killed at
// the limit, so what the program, the weights (`elements` of them are trained), their gradients and
// moments, and the loader's batches take is subtracted, and the peak of a backward pass counted.
// `ranks_here` processes share the memory.
double memory_for_pictures(const recipe::Recipe& recipe, int64_t elements, at::Device device,
                           int64_t ranks_here);

// The same from given facts: `limit` is what the control group allows, `resident` what the process
// holds already.
double memory_within(double limit, double resident, const recipe::Recipe& recipe, int64_t elements);

}  // namespace fcm::train
