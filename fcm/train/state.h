// The state from which a run resumes, and its form on disk. It contains no state of random number
// generators, because every draw is keyed (base/random.h).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "fcm/checkpoint/checkpoint.h"
#include "fcm/nn/parameters.h"
#include "fcm/optim/adamw.h"
#include "fcm/train/spikes.h"

namespace fcm::train {

struct Counters {
  int64_t step = 0;         // batches consumed
  int64_t bad_samples = 0;  // images replaced so far
  int64_t skipped = 0;      // steps skipped because of a non-finite loss or gradient
  int64_t skipped_in_a_row = 0;
  int64_t rollbacks = 0;
  int64_t micro_batch = 0;  // stays the same after a resume, because it fixes the order of sums
  // Sums for the next lines of the log.
  double window_loss = 0;
  int64_t window_steps = 0;
  double epoch_loss = 0;
  int64_t epoch_steps = 0;
  std::map<std::string, double> window_target_losses, epoch_target_losses;
  LossHistory history;

  nlohmann::json to_json() const;
  static Counters from_json(const nlohmann::json& json);
};

// Tensors with the names, shapes and order of elements of upstream's state_dict. `owners` owns the
// memory of the views.
struct PublishedTensors {
  std::vector<at::Tensor> owners;
  std::vector<formats::TensorView> views;

  void add(const std::string& name, const at::Tensor& tensor);
};

PublishedTensors model_tensors(const nn::Parameters& parameters);
// "exp_avg.<name>" and "exp_avg_sq.<name>" for every trainable parameter.
PublishedTensors optimizer_tensors(const nn::Parameters& parameters, const optim::AdamW& optimizer);

// Appends "ema.<name>" for every parameter of the EMA. The EMA is training state, so it is stored
// in the optimizer's file.
void add_ema(PublishedTensors& tensors, const nn::Parameters& ema);
using checkpoint::kEmaPrefix;

// Tensors that may be missing or unexpected, as patterns with * and ?.
struct LoadRules {
  std::vector<std::string> missing, unexpected;
};

// Strict loading: every parameter must be filled and every tensor of the file used; otherwise
// throws Error(kCheckpoint), which names `source` and the missing, unexpected and mis-shaped
// tensors. Accepts F32, F64, F16 and BF16. load_model returns the parameters that kept their values
// because `rules` allow them to be missing.
std::vector<const nn::Parameter*> load_model(nn::Parameters& parameters,
                                             const formats::TensorFile& file,
                                             const std::string& source,
                                             const LoadRules& rules = {});
void load_optimizer(const nn::Parameters& parameters, optim::AdamW& optimizer,
                    const formats::TensorFile& file, const std::string& source,
                    const LoadRules& rules = {});
// Loads the tensors that add_ema() wrote; throws Error(kCheckpoint) if the file has none.
void load_ema(nn::Parameters& ema, const formats::TensorFile& file, const std::string& source);

// Restores weights, moments, EMA (`ema` nullptr: none) and the optimizer's step count, but not the
// Counters. Throws Error(kCheckpoint) if the checkpoint has no training state or belongs to another
// model.
void load_training_state(nn::Parameters& parameters, optim::AdamW& optimizer, nn::Parameters* ema,
                         const checkpoint::Checkpoint& checkpoint);

// A copy of a file's tensor.
at::Tensor to_tensor(const formats::TensorView& view);

}  // namespace fcm::train
