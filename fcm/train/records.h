// What a run writes during training: log.jsonl, TensorBoard events, checkpoints. In a group of
// processes only rank 0 writes.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "fcm/base/reporter.h"
#include "fcm/checkpoint/checkpoint.h"
#include "fcm/train/event_writer.h"
#include "fcm/train/learner.h"
#include "fcm/train/run_log.h"

namespace fcm::train {

class Records {
 public:
  // `out`: the run folder; `writes`: whether this process writes (rank 0). Throws
  // Error(kCheckpoint) if the log cannot be opened.
  Records(std::filesystem::path out, bool writes);

  std::filesystem::path checkpoints() const { return out_ / "checkpoints"; }

  // Removes what was logged after `step`, the step from which the run resumes.
  void resume_from(int64_t step);
  // A line that cannot be written is kept and retried with the next one. save() fails if such a
  // line still cannot be written.
  void add_line(const nlohmann::json& line, Reporter& reporter);
  // Curves are optional: if they cannot be written, the run continues without them.
  void add_curves(int64_t step, const std::map<std::string, double>& values, Reporter& reporter);

  // save() writes to checkpoints/; save_best() writes the best weights measured so far to best/.
  void save(int64_t step, const Learner& learner, const nlohmann::json& state,
            const checkpoint::Retention& retention);
  void save_best(int64_t step, const Learner& learner, const nlohmann::json& state);

 private:
  void save_to(const std::filesystem::path& folder, int64_t step, const Learner& learner,
               const nlohmann::json& state, const checkpoint::Retention& retention);
  void write_waiting();

  std::filesystem::path out_;
  std::unique_ptr<RunLog> log_;          // nullptr: another process writes
  std::deque<nlohmann::json> waiting_;   // lines that could not be written yet
  std::unique_ptr<EventWriter> events_;  // nullptr: another process writes, or writing failed
};

}  // namespace fcm::train
