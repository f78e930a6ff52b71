// What the loop does when something goes wrong that must not end the run.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "fcm/base/reporter.h"
#include "fcm/checkpoint/checkpoint.h"
#include "fcm/dist/group.h"
#include "fcm/loader/loader.h"
#include "fcm/recipe/run_options.h"
#include "fcm/train/learner.h"
#include "fcm/train/records.h"
#include "fcm/train/state.h"
#include "fcm/train/step.h"

namespace fcm::train {

// The newest valid checkpoint of a run, the same in every process. Throws Error(kCheckpoint) where
// processes find different ones.
std::optional<checkpoint::Checkpoint> newest_of(const Records& records, dist::Group& group,
                                                Reporter& reporter);

// The next batch in every process, or an Error in every process: whoever cannot read enough of its
// images would leave the others waiting. Its bad images are those of all processes.
loader::Batch next_batch(loader::Loader& loader, dist::Group& group);

// Counts the images that were replaced, writes each to the log and warns of the first.
void note_bad_samples(const std::vector<loader::BadSample>& bad, Counters& counters,
                      Records& records, Reporter& reporter);

// Watches the loss of an applied update: one that jumps is logged and warned of. With run.spike =
// "rollback" three in a row go back to the newest checkpoint, as below.
void after_update(const StepResult& step, const recipe::RunOptions& options, Learner& learner,
                  Counters& counters, Records& records, dist::Group& group, Reporter& reporter);

// Whether the next update may make the weights go back.
bool may_go_back(const recipe::RunOptions& options, const Counters& counters);

// Rule 7 of the reliability goals, for an update that was not finite: it is left out; after several
// in a row the learner goes back to the newest checkpoint, and training goes on past the data that
// did it; after several of those it gives up with Error(kNumeric).
void after_bad_update(const StepResult& step, const recipe::RunOptions& options, Learner& learner,
                      Counters& counters, const Records& records, dist::Group& group,
                      Reporter& reporter);

}  // namespace fcm::train
