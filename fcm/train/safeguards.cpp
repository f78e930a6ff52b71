#include "fcm/train/safeguards.h"

#include <fmt/format.h>

#include <exception>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "fcm/base/error.h"

namespace fcm::train {
namespace {

constexpr int64_t kSpikesBeforeRollback = 3;

// Rolls back to the newest checkpoint; training then continues with the next data. If there is
// none, or after too many roll-backs, fails with `cause` and advice.
void roll_back(const std::string& cause, const recipe::RunOptions& options, Learner& learner,
               Counters& counters, const Records& records, dist::Group& group, Reporter& reporter) {
  const auto good = newest_of(records, group, reporter);
  if (++counters.rollbacks > options.max_rollbacks || !good) {
    fail(ExitCode::kNumeric,
         "gave up at step {}: {} and {} roll-backs did not help; lower optim.base_lr, set "
         "model.precision = \"fp32\" or optim.clip_norm",
         counters.step, cause, counters.rollbacks - 1);
  }
  learner.restore(*good);
  reporter.warn(fmt::format(
      "step {}: rolled back to the weights of step {}; training continues with the next data",
      counters.step, good->step));
}

}  // namespace

std::optional<checkpoint::Checkpoint> newest_of(const Records& records, dist::Group& group,
                                                Reporter& reporter) {
  auto found = checkpoint::load_newest(records.checkpoints(), true, reporter);
  const int64_t step = found ? found->step : -1;
  const int64_t lowest = group.agree(step, dist::Agree::kMin);
  const int64_t highest = group.agree(step, dist::Agree::kMax);
  if (lowest == highest) return found;
  fail(
      ExitCode::kCheckpoint,
      "{}: one process finds the checkpoint of step {} and another that of step {} (-1: none); all "
      "of them must see the same folder",
      records.checkpoints().string(), lowest, highest);
}

namespace {

std::vector<loader::BadSample> bad_samples_of_all(const std::vector<loader::BadSample>& mine,
                                                  dist::Group& group) {
  if (group.size() == 1) return mine;
  nlohmann::json list = nlohmann::json::array();
  for (const loader::BadSample& bad : mine)
    list.push_back({bad.sample, bad.substitute, bad.reason});
  constexpr auto kReplace = nlohmann::json::error_handler_t::replace;  // names need not be UTF-8
  std::vector<loader::BadSample> all;
  for (const std::string& text : dist::gather_texts(group, list.dump(-1, ' ', false, kReplace))) {
    for (const nlohmann::json& bad : nlohmann::json::parse(text)) {
      all.push_back({bad[0].get<int64_t>(), bad[1].get<int64_t>(), bad[2].get<std::string>()});
    }
  }
  return all;
}

}  // namespace

loader::Batch next_batch(loader::Loader& loader, dist::Group& group) {
  loader::Batch batch;
  std::exception_ptr failed;
  try {
    batch = loader.next();
  } catch (...) {
    failed = std::current_exception();
  }
  constexpr int64_t kFailed = int64_t{1} << 40;  // more than there are images in a batch
  const int64_t agreed =
      group.agree(failed ? kFailed : static_cast<int64_t>(batch.bad.size()), dist::Agree::kSum);
  if (failed) std::rethrow_exception(failed);
  if (agreed >= kFailed) fail(ExitCode::kData, "another process could not read its images");
  if (agreed > 0) batch.bad = bad_samples_of_all(batch.bad, group);
  return batch;
}

void note_bad_samples(const std::vector<loader::BadSample>& bad, Counters& counters,
                      Records& records, Reporter& reporter) {
  constexpr int64_t kListed = 20;
  for (const loader::BadSample& sample : bad) {
    if (counters.bad_samples++ < kListed) {
      reporter.warn(
          fmt::format("step {}: replaced an image: {}", counters.step + 1, sample.reason));
    }
    records.add_line({{"step", counters.step + 1},
                      {"bad_sample", sample.sample},
                      {"substitute", sample.substitute},
                      {"reason", sample.reason}},
                     reporter);
  }
}

void after_skipped_step(const StepResult& step, const recipe::RunOptions& options, Learner& learner,
                        Counters& counters, const Records& records, dist::Group& group,
                        Reporter& reporter) {
  ++counters.skipped;
  ++counters.skipped_in_a_row;
  reporter.warn(
      fmt::format("step {}: loss {} and gradient norm {} are not both finite; step skipped",
                  counters.step, step.loss, step.gradient_norm));
  if (counters.skipped_in_a_row < options.max_skipped_in_a_row) return;
  counters.skipped_in_a_row = 0;
  roll_back(fmt::format("{} steps were not finite", counters.skipped), options, learner, counters,
            records, group, reporter);
}

void after_update(const StepResult& step, const recipe::RunOptions& options, Learner& learner,
                  Counters& counters, Records& records, dist::Group& group, Reporter& reporter) {
  counters.skipped_in_a_row = 0;
  LossHistory& history = counters.history;
  const std::optional<Spike> spike = add_loss(history, step.loss);
  // All processes roll back together.
  if (!group.any(spike.has_value())) return;
  if (spike) {
    records.add_line({{"step", counters.step}, {"spike", spike->loss}, {"usual", spike->median}},
                     reporter);
    if (history.spikes_in_a_row == 1) {  // the log has every spike
      reporter.warn(fmt::format(
          "step {}: the loss jumped to {:.4g}, the recent median is {:.4g}; training continues",
          counters.step, spike->loss, spike->median));
    }
  }
  const bool enough = history.spikes_in_a_row >= kSpikesBeforeRollback;
  if (options.spike != "rollback" || !group.any(enough)) return;
  forget_spikes(history);
  roll_back(fmt::format("the loss jumped in {} steps", history.spikes), options, learner, counters,
            records, group, reporter);
}

bool may_roll_back(const recipe::RunOptions& options, const Counters& counters) {
  return counters.skipped_in_a_row + 1 >= options.max_skipped_in_a_row ||
         (options.spike == "rollback" &&
          counters.history.spikes_in_a_row + 1 >= kSpikesBeforeRollback);
}

}  // namespace fcm::train
