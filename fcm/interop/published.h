// Training files of the upstream programs: torch.save of a dict of model, optimizer, epoch, scaler
// and args (util/misc.py save_model). Reads them into a checkpoint::Checkpoint, and writes them.
// Links no LibTorch.
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

// The key of a moving average of weights in a training file.
inline constexpr const char* kAverageKey = "model_ema";

// Takes the weights that choose_weights (weight_sets.h) returns for `wanted`. Reports other weights
// in the file and dropped tensors.
//
// Moments get the names of their parameters. An upstream optimizer numbers parameters group by
// group (first those without weight decay, in SimMIM first those with it), each group in the order
// of the state_dict, without the position tables that are not trained (optimizer_order in
// adapters.h). The optimizer is dropped if its parameters do not fit this order or its step counts
// differ, if `wanted` is not empty, or if the file is a segmenter's or a detector's;
// `state.optimizer_left_out` then says why. A moving average of weights ("model_ema", a state_dict)
// is stored after the moments, its names with the prefix "ema.".
//
// A segmenter's tensors get the names of segmenter_names.h, and its metadata is read by read_meta
// (mmseg.h). A detector's tensors get the names of detector_names.h.
//
// The state gets, as far as the file has them: "published_epoch" (the last finished epoch, from 0),
// "epoch" (epochs done), "optimizer_steps", "optimizer" (lr, weight_decay, betas, eps), "scaler",
// "args" (plain data), and from this program's own files "recipe" (text), "facts" (facts.h) and the
// members of about.h.
checkpoint::Checkpoint from_pth(formats::PthFile file, const std::filesystem::path& path,
                                bool with_optimizer, Reporter& reporter,
                                const std::string& wanted = {});

// The steps common to files of all formats: chooses the weights, renames them to upstream names,
// and drops heads that this program does not have (take_out_heads). `checkpoint.path` and
// `checkpoint.state` must be set. If the state has a recipe, this program wrote the file; then
// nothing is dropped or reported.
void take_weights(std::vector<NamedTensors> dicts, const std::string& wanted,
                  checkpoint::Checkpoint& checkpoint, Reporter& reporter);

// The settings of an optimizer to write, as an upstream parameter group holds them.
struct PublishedOptimizer {
  int64_t steps = 0;
  double lr = 0, weight_decay = 0.05, beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8;
};

struct PublishedFile {
  std::span<const formats::TensorView> model;  // upstream names, any order
  std::span<const formats::TensorView>
      moments;  // "exp_avg.<name>", "exp_avg_sq.<name>"; empty: no optimizer is written
  PublishedOptimizer optimizer;
  int64_t epoch = 0;      // the last finished epoch, from 0; -1: none
  nlohmann::json scaler;  // GradScaler state; null: its initial state
  nlohmann::json args;
  // Entries that upstream files do not have; empty: not written.
  std::string recipe;
  std::string facts;                                  // JSON text of facts.h
  std::span<const formats::TensorView> average = {};  // "ema.<name>"
  std::string about = {};                             // JSON text of about.h
};

// Writes a file that upstream's --resume accepts and torch.load(weights_only=True) reads. The
// moving average becomes the entry "model_ema", the name that timm and forks of MAE use; other
// programs ignore it. Throws Error(kCheckpoint).
void write_published(const std::filesystem::path& path, const PublishedFile& content);

}  // namespace fcm::interop
