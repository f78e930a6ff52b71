// The loop over labelled pictures: as trainer.h does for pretraining, with an evaluation at the end
// of every epoch and the best weights kept.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>

#include "fcm/base/reporter.h"
#include "fcm/loader/dataset.h"
#include "fcm/train/finetune_recipe.h"
#include "fcm/train/learner.h"
#include "fcm/train/trainer.h"

namespace fcm::train {

struct FinetuneRequest {
  FinetuneRecipe recipe;
  std::shared_ptr<const loader::Dataset> dataset;
  std::filesystem::path out;                // the run folder, there already
  int64_t threads = 1;                      // of the loader
  const std::atomic<bool>* stop = nullptr;  // set: save at the next step and return
  // Keys for the epoch's line of the log, asked for at the end of each epoch and after the last
  // step; "test_acc1" among them decides which weights are kept in <out>/best.
  std::function<nlohmann::json()> evaluate;
};

// Trains `learner` in place, continuing from the newest valid checkpoint of `out` if there is one.
// Two launches that together do all steps leave the same bits as one that does. Throws Error:
// kData, kCheckpoint, kNumeric.
TrainResult finetune(Learner& learner, const FinetuneRequest& request, Reporter& reporter);

}  // namespace fcm::train
