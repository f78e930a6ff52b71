// What every training loop does when something goes wrong that must not end the run.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "fcm/base/reporter.h"
#include "fcm/checkpoint/checkpoint.h"
#include "fcm/loader/loader.h"
#include "fcm/train/event_writer.h"
#include "fcm/train/options.h"
#include "fcm/train/run_log.h"
#include "fcm/train/state.h"
#include "fcm/train/step.h"

namespace fcm::train {

// Counts the pictures that were replaced, writes each to the log and warns of the first.
void note_bad_samples(const loader::Batch& batch, Counters& counters, RunLog& log,
                      Reporter& reporter);

// Rule 7 of the reliability goals, for an update that was not finite: it is left out; after several
// in a row `restore` gets the newest checkpoint, and training goes on past the data that did it;
// after several of those it gives up with Error(kNumeric).
using Restore = std::function<void(const checkpoint::Checkpoint&)>;
void after_bad_update(const StepResult& step, const RunOptions& options, Counters& counters,
                      const std::filesystem::path& checkpoints, const Restore& restore,
                      Reporter& reporter);

// Curves for TensorBoard are a convenience: when they cannot be written, the run goes on without
// them.
class Curves {
 public:
  explicit Curves(const std::filesystem::path& folder) : events_(folder) {}

  void resume_at(int64_t step) { events_.resume_at(step); }
  void add(int64_t step, const std::map<std::string, double>& values, Reporter& reporter);

 private:
  EventWriter events_;
  bool work_ = true;
};

}  // namespace fcm::train
