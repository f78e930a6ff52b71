#include "fcm/train/records.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/base/file.h"

namespace fcm::train {

Records::Records(std::filesystem::path out, bool writes) : out_(std::move(out)) {
  if (!writes) return;
  log_ = std::make_unique<RunLog>(out_ / "log.jsonl");
  events_ = std::make_unique<EventWriter>(out_ / "events");
}

void Records::resume_from(int64_t step) {
  if (log_) log_->trim_to_step(step);
  if (events_ && step > 0) events_->resume_at(step + 1);
}

void Records::add_line(const nlohmann::json& line, Reporter& reporter) {
  if (!log_) return;
  waiting_.push_back(line);
  try {
    write_waiting();
  } catch (const Error& error) {
    if (waiting_.size() > 1) return;  // already warned
    reporter.warn(
        fmt::format("{}; lines of the log are kept in memory and written later", error.what()));
  }
}

void Records::write_waiting() {
  for (; !waiting_.empty(); waiting_.pop_front()) log_->write(waiting_.front());
}

void Records::add_curves(int64_t step, const std::map<std::string, double>& values,
                         Reporter& reporter) {
  if (!events_) return;
  std::vector<Scalar> scalars;
  for (const auto& [tag, value] : values) scalars.push_back({tag, static_cast<float>(value)});
  try {
    events_->add(step, scalars);
  } catch (const Error& error) {
    events_.reset();
    reporter.warn(fmt::format("{}; no more TensorBoard events in this launch", error.what()));
  }
}

void Records::save(int64_t step, const Learner& learner, const nlohmann::json& state,
                   const checkpoint::Retention& retention) {
  save_to(checkpoints(), step, learner, state, retention);
}

void Records::save_best(int64_t step, const Learner& learner, const nlohmann::json& state) {
  save_to(out_ / "best", step, learner, state, {.keep_last = 1});
}

void Records::save_to(const std::filesystem::path& folder, int64_t step, const Learner& learner,
                      const nlohmann::json& state, const checkpoint::Retention& retention) {
  if (!log_) return;
  // If the folder is gone, saving would create a new one of that name that belongs to no run.
  if (!is_folder(out_, ExitCode::kCheckpoint)) {
    fail(ExitCode::kCheckpoint,
         "the run folder {} is gone: it was moved or removed while the run was going; put it back, "
         "or start the run again where it is now",
         out_.string());
  }
  write_waiting();
  log_->sync();  // the log must not be behind the checkpoint after a power failure
  const PublishedTensors model = learner.model_state(), optimizer = learner.optimizer_state();
  checkpoint::save(folder, step, model.views, optimizer.views, state, retention);
}

}  // namespace fcm::train
