// What has to be known to go on as if nothing had happened, and its form on disk. There are no
// random generators in it: every draw is keyed by (seed, epoch, sample).
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
  int64_t skipped = 0;      // updates left out because something was not finite
  int64_t skipped_in_a_row = 0;
  int64_t rollbacks = 0;
  int64_t micro_batch = 0;  // decided once, kept on resume: it fixes the order of sums
  // Sums behind the next lines of the log.
  double window_loss = 0;
  int64_t window_steps = 0;
  double epoch_loss = 0;
  int64_t epoch_steps = 0;
  std::map<std::string, double> window_target_losses, epoch_target_losses;
  LossHistory history;

  nlohmann::json to_json() const;
  static Counters from_json(const nlohmann::json& json);
};

// Tensors as published: names, shapes and order of elements; `kept` owns what the views point to.
struct PublishedTensors {
  std::vector<at::Tensor> kept;
  std::vector<formats::TensorView> views;

  void add(const std::string& name, const at::Tensor& tensor);
};

PublishedTensors model_tensors(const nn::Parameters& parameters);
// "exp_avg.<name>" and "exp_avg_sq.<name>" for every trainable parameter.
PublishedTensors optimizer_tensors(const nn::Parameters& parameters, const optim::AdamW& optimizer);

// "ema.<name>" for every parameter of the moving average, behind what is there: it is state of the
// training, so it stands in the file of the moments.
void add_ema(PublishedTensors& tensors, const nn::Parameters& ema);
using checkpoint::kEmaPrefix;

// What may be missing or left over, as patterns with * and ?.
struct LoadRules {
  std::vector<std::string> missing, unexpected;
};

// Total loading: every parameter is filled and every tensor used, or Error(kCheckpoint) that says
// what is missing, unexpected and mis-shaped. `source` is named in the error. Any floating type is
// taken. Returns the parameters that `rules` let stay as they were.
std::vector<const nn::Parameter*> load_model(nn::Parameters& parameters,
                                             const formats::TensorFile& file,
                                             const std::string& source,
                                             const LoadRules& rules = {});
void load_optimizer(const nn::Parameters& parameters, optim::AdamW& optimizer,
                    const formats::TensorFile& file, const std::string& source,
                    const LoadRules& rules = {});
// From the file that add_ema's tensors went to; Error(kCheckpoint) where there are none.
void load_ema(nn::Parameters& ema, const formats::TensorFile& file, const std::string& source);

// Weights, moments, moving average (`ema`, nullptr: there is none) and the count of updates of a
// checkpoint that a run can continue from; not the counters. Error(kCheckpoint) where it has no
// training state, or another model's.
void load_training_state(nn::Parameters& parameters, optim::AdamW& optimizer, nn::Parameters* ema,
                         const checkpoint::Checkpoint& checkpoint);

// A tensor of a file, copied.
at::Tensor to_tensor(const formats::TensorView& view);

}  // namespace fcm::train
