// How the loop handles faults that should not end the run.
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

// The newest valid checkpoint of a run, the same in every process. Throws Error(kCheckpoint) if the
// processes find different ones.
std::optional<checkpoint::Checkpoint> newest_of(const Records& records, dist::Group& group,
                                                Reporter& reporter);

// The next batch. If one process cannot read its images, every process throws an Error; otherwise
// the others would wait forever. The batch lists the bad images of all processes.
loader::Batch next_batch(loader::Loader& loader, dist::Group& group);

// Counts the replaced images, logs each, and warns of the first 20.
void note_bad_samples(const std::vector<loader::BadSample>& bad, Counters& counters,
                      Records& records, Reporter& reporter);

// Checks the loss of an applied step for a spike: logs each spike and warns of the first in a row.
// With run.spike = "rollback", three spikes in a row roll back to the newest checkpoint, as below.
void after_update(const StepResult& step, const recipe::RunOptions& options, Learner& learner,
                  Counters& counters, Records& records, dist::Group& group, Reporter& reporter);

// Whether the next step can cause a roll-back of the weights.
bool may_roll_back(const recipe::RunOptions& options, const Counters& counters);

// Counts a non-finite step, which the learner has skipped, and warns of it. After
// run.max_skipped_in_a_row skipped steps the learner rolls back to the newest checkpoint, and
// training continues with the next data. Throws Error(kNumeric) after run.max_rollbacks roll-backs,
// or if there is no checkpoint.
void after_skipped_step(const StepResult& step, const recipe::RunOptions& options, Learner& learner,
                        Counters& counters, const Records& records, dist::Group& group,
                        Reporter& reporter);

}  // namespace fcm::train
