// Training files of the published programs: torch.save of a dict of model, optimizer, epoch, scaler
// and args (util/misc.py save_model). What it says becomes a checkpoint::Checkpoint and the
// reverse. Links no LibTorch.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>

#include "fcm/checkpoint/checkpoint.h"
#include "fcm/formats/pth.h"

namespace fcm::interop {

// Where a training file keeps a moving average of weights.
inline constexpr const char* kAverageKey = "model_ema";

// The state_dict is looked for under "model" and "state_dict", and is otherwise the file itself.
// Moments get the names of the parameters they belong to: a published optimizer numbers first what
// does not decay, then what does, both in the order of the state_dict, frozen tables left out. An
// optimizer that does not fit this is left out; `state.optimizer_left_out` then says why. All
// update counts must be equal. A moving average of weights ("model_ema", a state_dict) gets "ema."
// in front of its names and stands behind the moments.
//
// state: "published_epoch" (the epoch that was done last, counted from 0), "epoch" (epochs done),
// "optimizer_steps", "optimizer" (lr, weight_decay, betas, eps), "scaler", "args" (plain data),
// "recipe" (text, of this program's own files), as far as the file has them.
checkpoint::Checkpoint from_pth(formats::PthFile file, const std::filesystem::path& path,
                                bool with_optimizer);

// One parameter group of what is written, as the published optimizer holds it.
struct PublishedOptimizer {
  int64_t steps = 0;
  double lr = 0, weight_decay = 0.05, beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8;
};

struct PublishedFile {
  std::span<const formats::TensorView> model;  // published names, any order
  std::span<const formats::TensorView>
      moments;  // "exp_avg.<name>", "exp_avg_sq.<name>"; empty: none
  PublishedOptimizer optimizer;
  int64_t epoch = 0;      // the one that was done last, counted from 0; -1: none
  nlohmann::json scaler;  // of the gradient scaler; null: as the published programs start it
  nlohmann::json args;
  std::string recipe;                                 // beside what is published; empty: none
  std::span<const formats::TensorView> average = {};  // the same: "ema.<name>"; empty: none
};

// Writes what the published programs' --resume accepts and torch.load(weights_only=True) reads. The
// average is the entry "model_ema" beside what is published, under the name that timm and the forks
// of MAE give theirs; programs that keep none do not look at it. Throws Error(kCheckpoint).
void write_published(const std::filesystem::path& path, const PublishedFile& content);

}  // namespace fcm::interop
