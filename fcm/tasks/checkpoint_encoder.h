// The encoder of a downstream task: the recipe's own, or that of the checkpoint it starts from.
#pragma once

#include "fcm/base/reporter.h"
#include "fcm/checkpoint/checkpoint.h"
#include "fcm/tasks/tasks.h"

namespace fcm::tasks {

// The request's recipe as it will be run and stored. If encoder.size is "checkpoint", model.kind,
// the rest of [encoder], data.channels, data.mean and data.deviation come from `start` (its recipe,
// else its tensors), overridden by what the request sets. `start` nullptr: from scratch, [encoder]
// is used as it is. If the recipe gives its sizes, those of `start` must be equal, unless
// allow_missing lets tensors be absent; otherwise throws Error(kUsage) with both.
recipe::Recipe resolved_recipe(const FinetuneRequest& request, const checkpoint::Checkpoint* start,
                               Reporter& reporter);

}  // namespace fcm::tasks
