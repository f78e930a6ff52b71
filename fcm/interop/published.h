// Training files of the published programs: torch.save of a dict of model, optimizer, epoch, scaler
// and args (util/misc.py save_model). What it says becomes a checkpoint::Checkpoint and the
// reverse. Links no LibTorch.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>

#include "fcm/base/reporter.h"
#include "fcm/checkpoint/checkpoint.h"
#include "fcm/formats/pth.h"
#include "fcm/interop/weight_sets.h"

namespace fcm::interop {

// Where a training file keeps a moving average of weights.
inline constexpr const char* kAverageKey = "model_ema";

// The weights are those of choose_weights (weight_sets.h), called `wanted` where that is not empty;
// what else there is, and what was left out, is said to `reporter`. Moments get the names of the
// parameters they belong to: a published optimizer numbers first what does not decay, then what
// does, both in the order of the state_dict, frozen tables left out. An optimizer that does not fit
// this, or of other weights than those that are wanted, is left out; `state.optimizer_left_out`
// then says why, and so is that of a segmenter. All update counts must be equal. A moving average
// of weights ("model_ema", a state_dict) gets "ema." in front of its names and stands behind the
// moments.
//
// A segmenter's tensors get the names of segmenter_names.h, its meta goes where mmseg.h says.
//
// state: "published_epoch" (the epoch that was done last, counted from 0), "epoch" (epochs done),
// "optimizer_steps", "optimizer" (lr, weight_decay, betas, eps), "scaler", "args" (plain data),
// "recipe" (text, of this program's own files) and what about.h lists, as far as the file has them.
checkpoint::Checkpoint from_pth(formats::PthFile file, const std::filesystem::path& path,
                                bool with_optimizer, Reporter& reporter,
                                const std::string& wanted = {});

// What is done to the tensors of a file, whatever its format: the weights are chosen, get their
// published names, and heads that nothing needs are left out. `checkpoint.path` and its state are
// there already; one with a recipe, which this program wrote, is not talked about.
void take_weights(std::vector<NamedTensors> dicts, const std::string& wanted,
                  checkpoint::Checkpoint& checkpoint, Reporter& reporter);

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
  std::string facts;                                  // likewise: what is known of the weights
  std::span<const formats::TensorView> average = {};  // the same: "ema.<name>"; empty: none
  std::string about = {};                             // the same: about.h
};

// Writes what the published programs' --resume accepts and torch.load(weights_only=True) reads. The
// average is the entry "model_ema" beside what is published, under the name that timm and the forks
// of MAE give theirs; programs that keep none do not look at it. Throws Error(kCheckpoint).
void write_published(const std::filesystem::path& path, const PublishedFile& content);

}  // namespace fcm::interop
