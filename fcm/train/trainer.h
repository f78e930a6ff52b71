// The loop: sample, forward, backward, update; log, save, stop, resume.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "fcm/base/reporter.h"
#include "fcm/loader/dataset.h"
#include "fcm/models/masked_autoencoder.h"
#include "fcm/ops/cuda/graph.h"
#include "fcm/targets/teachers.h"
#include "fcm/train/recipe.h"

namespace fcm::train {

struct TrainRequest {
  Recipe recipe;
  std::shared_ptr<const loader::Dataset> dataset;
  std::filesystem::path out;                // the run folder, there already
  std::filesystem::path start_from;         // another run or checkpoint to continue; empty: none
  targets::Teachers* teachers = nullptr;    // of the recipe's targets; nullptr: pixels alone
  int64_t threads = 1;                      // of the loader
  const std::atomic<bool>* stop = nullptr;  // set: save at the next step and return
  // More keys for the epoch's line of the log (knn_top1, ...), asked for at the end of each epoch.
  std::function<nlohmann::json(const models::MaskedAutoencoder&, int64_t epoch)> at_epoch_end;
  // Called every run.pictures_every_steps, and after the last step.
  std::function<void(const models::MaskedAutoencoder&, int64_t step)> draw_pictures;
  // Updates are given to the model's device without waiting and their results read one update
  // later, to the same bits, messages and files: for a GPU. Without effect where a moving average
  // is among the targets.
  bool queued = false;
  // How queued updates are recorded; empty: not at all, one operator after another.
  std::function<std::unique_ptr<ops::RecordedWork>()> record = nullptr;
};

struct TrainResult {
  int64_t steps = 0;  // done in all, including those of earlier launches
  int64_t total_steps = 0;
  bool stopped = false;  // by the stop flag
  double loss = 0;       // of the last step of this launch; NaN if it did none
  double seconds = 0;    // of this launch
  double images_per_second = 0;
};

// How many updates a recipe makes on a data set of that size.
int64_t total_steps(const Recipe& recipe, int64_t dataset_size);

// Trains `model` in place, continuing from the newest valid checkpoint of `out` if there is one.
// Two launches that together do all steps leave the same bits as one that does. Throws Error:
// kData, kCheckpoint, kNumeric.
TrainResult train(models::MaskedAutoencoder& model, const TrainRequest& request,
                  Reporter& reporter);

}  // namespace fcm::train
