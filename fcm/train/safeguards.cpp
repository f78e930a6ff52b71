#include "fcm/train/safeguards.h"

#include <fmt/format.h>

#include <vector>

#include "fcm/base/error.h"

namespace fcm::train {

void note_bad_samples(const loader::Batch& batch, Counters& counters, RunLog& log,
                      Reporter& reporter) {
  constexpr int64_t kListed = 20;
  for (const loader::BadSample& bad : batch.bad) {
    if (counters.bad_samples++ < kListed) {
      reporter.warn(fmt::format("step {}: replaced a picture: {}", counters.step + 1, bad.reason));
    }
    log.write({{"step", counters.step + 1},
               {"bad_sample", bad.sample},
               {"substitute", bad.substitute},
               {"reason", bad.reason}});
  }
}

void after_bad_update(const StepResult& step, const RunOptions& options, Counters& counters,
                      const std::filesystem::path& checkpoints, const Restore& restore,
                      Reporter& reporter) {
  ++counters.skipped;
  ++counters.skipped_in_a_row;
  reporter.warn(
      fmt::format("step {}: loss {} and gradient norm {} are not both finite; update left out",
                  counters.step, step.loss, step.gradient_norm));
  if (counters.skipped_in_a_row < options.max_skipped_in_a_row) return;
  counters.skipped_in_a_row = 0;
  const auto good = checkpoint::load_newest(checkpoints, true, reporter);
  if (++counters.rollbacks > options.max_rollbacks || !good) {
    fail(ExitCode::kNumeric,
         "gave up at step {}: {} updates were not finite and {} roll-backs did not help; lower "
         "optim.base_lr, set model.precision = \"fp32\" or optim.clip_norm",
         counters.step, counters.skipped, counters.rollbacks - 1);
  }
  restore(*good);
  reporter.warn(fmt::format(
      "step {}: weights went back to those of step {}; training goes on with the next data",
      counters.step, good->step));
}

void Curves::add(int64_t step, const std::map<std::string, double>& values, Reporter& reporter) {
  if (!work_) return;
  std::vector<Scalar> scalars;
  for (const auto& [tag, value] : values) scalars.push_back({tag, static_cast<float>(value)});
  try {
    events_.add(step, scalars);
  } catch (const Error& error) {
    work_ = false;
    reporter.warn(fmt::format("{}; no more TensorBoard events in this launch", error.what()));
  }
}

}  // namespace fcm::train
