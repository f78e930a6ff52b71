// The encoder of a downstream run: as its recipe says, or as in the checkpoint that it starts from.
#pragma once

#include "fcm/base/reporter.h"
#include "fcm/checkpoint/checkpoint.h"
#include "fcm/tasks/tasks.h"

namespace fcm::tasks {

// The request's recipe as it will be run and stored. If encoder.size is "checkpoint", model.kind,
// all other keys of [encoder], data.channels, data.mean and data.deviation come from `start` (from
// its recipe, or else from its tensors and the files next to them), overridden by request.set. The
// epsilon of the norms of a segmenter's or detector's encoder remains that of the request's recipe.
// If the recipe states the sizes of its encoder, they must equal those of `start`, unless
// request.allow_missing is set; otherwise throws Error(kUsage) with the values of both. `start`
// nullptr: the run starts from scratch and uses [encoder] as it is.
recipe::Recipe resolved_recipe(const FinetuneRequest& request, const checkpoint::Checkpoint* start,
                               Reporter& reporter);

}  // namespace fcm::tasks
