// What the loop does about faults that must not end the run.
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

// The next batch in every process, or an Error in every process: one that fails to read its images
// must not leave the others waiting. The batch lists the bad images of all processes.
loader::Batch next_batch(loader::Loader& loader, dist::Group& group);

// Counts the replaced images, logs each and warns of the first ones.
void note_bad_samples(const std::vector<loader::BadSample>& bad, Counters& counters,
                      Records& records, Reporter& reporter);

// Watches the loss of an applied step: a spike is logged and warned of. With run.spike = "rollback"
// three in a row roll back to the newest checkpoint, as below.
void after_update(const StepResult& step, const recipe::RunOptions& options, Learner& learner,
                  Counters& counters, Records& records, dist::Group& group, Reporter& reporter);

// Whether the next step may roll the weights back.
bool may_roll_back(const recipe::RunOptions& options, const Counters& counters);

// Rule 7 of the reliability goals, for a non-finite step. The step is skipped. After
// run.max_skipped_in_a_row of them the learner rolls back to the newest checkpoint, and training
// continues with the data after those that caused it. After run.max_rollbacks of these it throws
// Error(kNumeric).
void after_bad_update(const StepResult& step, const recipe::RunOptions& options, Learner& learner,
                      Counters& counters, const Records& records, dist::Group& group,
                      Reporter& reporter);

}  // namespace fcm::train
