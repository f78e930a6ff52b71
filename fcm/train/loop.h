// The loop of every training: sample, update, log, save, measure, stop, resume.
#pragma once

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

// What was measured at the end of an epoch.
struct Measured {
  nlohmann::json line = nlohmann::json::object();  // more keys for the epoch's line of the log
  std::optional<eval::Metric> metric;  // the weights with the best one are kept in <out>/best
};

struct TrainRequest {
  recipe::Recipe recipe;
  std::shared_ptr<const loader::Dataset> dataset;
  std::filesystem::path out;  // the run folder, there already
  // Another run's or program's state to continue from where `out` has none; nullptr: from scratch.
  const checkpoint::Checkpoint* start_from = nullptr;
  nlohmann::json about = nlohmann::json::object();  // more members for every checkpoint's state
  int64_t threads = 1;                              // of the loader
  const std::atomic<bool>* stop = nullptr;          // set: save at the next step and return
  // Asked at the end of each epoch (counted from 0). Where it throws loader::AskedToStop the run
  // saves and ends, and the next launch asks again before its first step.
  std::function<Measured(int64_t epoch)> measure;
  bool measures_last_step = false;  // and after the last step, wherever in its epoch that is
  // "train_seconds" of all launches in every line of the log and "n_parameters" in an epoch's, as
  // logs of fine-tuning have them.
  bool logs_totals = false;
  // Called every run.pictures_every_steps, and after the last step.
  std::function<void(int64_t step)> draw_pictures;
  // Updates are given to the device without waiting and their results read one update later, to the
  // same bits, messages and files: for a GPU. Without effect where the learner cannot.
  bool queued = false;
  // How queued updates are recorded; empty: not at all, one operator after another.
  Learner::MakeRecorded record = nullptr;
  std::shared_ptr<dist::Group> group = dist::group_of_one();
};

struct TrainResult {
  int64_t steps = 0;  // done in all, including those of earlier launches
  int64_t total_steps = 0;
  bool stopped = false;  // by the stop flag
  double loss = 0;       // of the last step of this launch; NaN if it did none
  double seconds = 0;    // of this launch, measuring not counted
  double images_per_second = 0;
};

// How many updates a recipe makes on a data set of that size. Throws Error(kData) for fewer
// images than a batch.
int64_t total_steps(const recipe::Recipe& recipe, int64_t dataset_size);

// Trains `learner` in place, continuing from the newest valid checkpoint of `out` if there is one.
// Two launches that together do all steps leave the same bits as one that does. Throws Error:
// kData, kCheckpoint, kNumeric.
TrainResult train(Learner& learner, const TrainRequest& request, Reporter& reporter);

}  // namespace fcm::train
