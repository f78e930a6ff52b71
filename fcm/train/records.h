// What a run writes while it trains: log.jsonl, TensorBoard events, checkpoints. In a group of
// processes rank 0 writes, the others do nothing.
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
  // `out`: the run folder. Throws Error(kCheckpoint) where the log cannot be opened.
  Records(std::filesystem::path out, bool writes);

  std::filesystem::path checkpoints() const { return out_ / "checkpoints"; }

  // Forgets what was logged after `step`, from which the run goes on.
  void go_on_from(int64_t step);
  // A line that cannot be written waits for the next one, or for the next save, which fails with
  // it.
  void add_line(const nlohmann::json& line, Reporter& reporter);
  // Curves are a convenience: when they cannot be written, the run goes on without them.
  void add_curves(int64_t step, const std::map<std::string, double>& values, Reporter& reporter);

  // To checkpoints/, or to best/ what was measured to be the best so far.
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
  std::unique_ptr<EventWriter> events_;  // nullptr: likewise, or they could not be written
};

}  // namespace fcm::train
