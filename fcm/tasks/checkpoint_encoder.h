// The encoder of a downstream task: the recipe's own, or that of the checkpoint it starts from.
#pragma once

#include "fcm/base/reporter.h"
#include "fcm/checkpoint/checkpoint.h"
#include "fcm/tasks/tasks.h"

namespace fcm::tasks {

// The request's recipe as it will be run, and stored. Where encoder.size is "checkpoint",
// model.kind, the rest of [encoder], data.channels, data.mean and data.deviation are those of
// `start`, from its recipe or else from its tensors, with what the request sets of them on top.
// `start` nullptr, from scratch: [encoder] as it stands. Where the recipe names its sizes, `start`
// must have the same, unless allow_missing lets some of it be absent: otherwise Error(kUsage),
// which says both.
recipe::Recipe resolved_recipe(const FinetuneRequest& request, const checkpoint::Checkpoint* start,
                               Reporter& reporter);

}  // namespace fcm::tasks
