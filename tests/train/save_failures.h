// A run of twelve steps and three checkpoints, in which system calls fail at a failpoint.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "fcm/base/failpoint.h"
#include "fcm/recipe/setup.h"
#include "fcm/train/learners/pretrain.h"
#include "fcm/train/loop.h"
#include "tests/support/error_of.h"
#include "tests/support/scratch.h"
#include "tests/train/small_run.h"

namespace fcm::train {

struct FailpointRun {
  std::string error;  // the message of the run's error; empty: the run completed
  int64_t failed_saves = 0;
  int64_t hits = 0;  // failpoints of that name that were passed
  std::vector<nlohmann::json> log;
  std::string bytes;                // of the newest checkpoint; empty if there is none
  std::vector<std::string> others;  // names in the checkpoint folder other than steps and latest
};

inline FailpointRun outcome_in(const std::filesystem::path& out) {
  FailpointRun found;
  if (std::filesystem::exists(out / "log.jsonl")) found.log = log_of(out);
  const std::filesystem::path checkpoints = out / "checkpoints";
  if (!std::filesystem::exists(checkpoints)) return found;
  if (std::filesystem::exists(checkpoints / "latest")) found.bytes = last_checkpoint(out);
  for (const auto& entry : std::filesystem::directory_iterator(checkpoints)) {
    const std::string name = entry.path().filename();
    if (name != "latest" && (!name.starts_with("step-") || name.find('.') != name.npos)) {
      found.others.push_back(name);
    }
  }
  return found;
}

// Trains in `out` with the failpoint `spec`; with an empty `spec` no call fails.
inline FailpointRun train_with(const std::string& spec, const std::filesystem::path& out) {
  const recipe::Recipe recipe = twelve_steps();
  PretrainLearner learner({recipe::autoencoder_options(recipe), 3}, recipe);
  TrainRequest request;
  request.recipe = recipe;
  request.dataset = std::make_shared<Stripes>();
  request.out = out;
  Messages messages;
  if (!spec.empty()) failpoint::arm(spec);
  std::string error =
      test::error_of(ExitCode::kCheckpoint, [&] { train(learner, request, messages); });
  const int64_t hits = failpoint::hits();
  failpoint::disarm();
  FailpointRun result = outcome_in(out);
  result.error = std::move(error);
  result.hits = hits;
  result.failed_saves = std::count_if(
      messages.lines.begin(), messages.lines.end(),
      [](const std::string& line) { return line.find("training continues (") != line.npos; });
  return result;
}

}  // namespace fcm::train
