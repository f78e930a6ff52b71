// The training loop, the same for every learner: loads batches, runs steps, writes the log and
// checkpoints, measures, stops and resumes.
#pragma once

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "fcm/base/reporter.h"
#include "fcm/checkpoint/checkpoint.h"
#include "fcm/dist/group.h"
#include "fcm/eval/metric.h"
#include "fcm/loader/dataset.h"
#include "fcm/recipe/recipe.h"
#include "fcm/train/learner.h"

namespace fcm::train {

// The result of a measurement.
struct Measured {
  nlohmann::json line = nlohmann::json::object();  // more keys for the epoch's line of the log
  std::optional<eval::Metric> metric;  // the weights with the best value are kept in <out>/best
};

// The time between checkpoints within an epoch, if run.save_every_steps is 0. A process that is
// killed then loses half of it on average.
struct SaveInterval {
  double seconds = 600;
  double largest_share = 0.02;  // of the time that saving may take; a slow disk saves less often

  double after(double save_seconds) const {
    return std::max(seconds, save_seconds / largest_share);
  }
};

struct TrainRequest {
  recipe::Recipe recipe;
  std::shared_ptr<const loader::Dataset> dataset;
  std::filesystem::path out;  // the run folder; must exist
  // State of another run or program, used if `out` has no checkpoint; nullptr: start from scratch.
  const checkpoint::Checkpoint* start_from = nullptr;
  // Further members of every checkpoint's state.
  nlohmann::json extra_state = nlohmann::json::object();
  int64_t threads = 1;                      // of the loader
  const std::atomic<bool>* stop = nullptr;  // once true: saves after this step, returns
  // Called every run.measure_every_steps steps or, if that is 0, at the end of each epoch. `epoch`
  // is counted from 0. If it throws loader::StopRequested, the run saves and ends, and the next
  // launch measures before its first step.
  std::function<Measured(int64_t epoch)> measure;
  bool measures_last_step = false;  // calls `measure` after the last step, even within an epoch
  // Adds "train_seconds", summed over all launches, to the lines of steps and epochs in the log,
  // and "n_parameters" to those of epochs. Set for fine-tuning.
  bool logs_totals = false;
  // Called every run.pictures_every_steps steps, and after the last step.
  std::function<void(int64_t step)> draw_images;
  // On a GPU: enqueues steps without waiting and reads their results one step later. Weights,
  // messages and files are the same. No effect if Learner::make_queued_execution() returns nullptr.
  bool queued = false;
  // Creates the recorder of enqueued steps (a CUDA graph); empty: operators are launched one by
  // one.
  Learner::MakeRecorder record = nullptr;
  std::shared_ptr<dist::Group> group = dist::group_of_one();
  SaveInterval save_interval;  // that of rank 0 applies
};

struct TrainResult {
  int64_t steps = 0;  // in total, earlier launches included
  int64_t total_steps = 0;
  bool stopped = false;  // because of the stop flag
  double loss = 0;       // of the last step of this launch; NaN if there was none
  double seconds = 0;    // of this launch, without the time of measurements
  double images_per_second = 0;
};

// The number of steps of a recipe on a data set of `dataset_size` images. Throws Error(kData) if
// the set has fewer images than a batch.
int64_t total_steps(const recipe::Recipe& recipe, int64_t dataset_size);

// Trains `learner` in place. Resumes from the newest valid checkpoint of `out` if there is one. A
// run that is stopped and resumed gives the same bits as one that is not. Throws Error: kData,
// kCheckpoint, kNumeric.
TrainResult train(Learner& learner, const TrainRequest& request, Reporter& reporter);

}  // namespace fcm::train
