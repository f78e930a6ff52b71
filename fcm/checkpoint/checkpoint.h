// A run's checkpoints: folders step-N with safetensors files and a manifest, committed by one
// rename. This folder handles bytes, names and shapes; train/ knows their meaning. Links no
// LibTorch.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "fcm/base/reporter.h"
#include "fcm/formats/buffer.h"
#include "fcm/formats/tensor_file.h"

namespace fcm::checkpoint {

// Which checkpoints save() keeps. Multiples of regular_every_steps are regular; the others were
// saved between two regular ones, because of the time or of a stop. keep_last counts regular ones,
// so that those in between do not displace them.
struct Retention {
  int64_t keep_last = 3;         // regular ones; of those in between the newest two, at most this
  int64_t keep_every_steps = 0;  // all steps that are multiples of it; 0: none
  int64_t regular_every_steps = 1;
};

// Writes {model,optimizer}.safetensors and manifest.json into a temporary folder and fsyncs every
// file and that folder. Renames it to <folder>/step-N, fsyncs <folder>, writes `latest`, and
// removes old checkpoints. On failure throws Error(kCheckpoint); then no step-N is incomplete, and
// every checkpoint that `retention` keeps is intact. `state` is stored in the manifest unchanged.
void save(const std::filesystem::path& folder, int64_t step,
          std::span<const formats::TensorView> model,
          std::span<const formats::TensorView> optimizer, const nlohmann::json& state,
          const Retention& retention);

// The first step-N (or step-N.old) that is foreign: it has files named as save() names them but no
// manifest of this program, and may belong to somebody else. nullopt: there is none.
std::optional<std::filesystem::path> first_foreign_step(const std::filesystem::path& folder);

// Removes the checkpoints of a folder (lowest step first), `latest`, leftovers of dead processes,
// and the folder itself if it is then empty. Files that save() did not write stay, and so do the
// folders they are in. A link at step-N is removed, not followed. `folder` must not be a link.
// Throws Error(kCheckpoint) if there is a foreign step (then nothing is removed), or if a file that
// save() wrote cannot be removed (then the call may be repeated).
void remove_checkpoints(const std::filesystem::path& folder);

// Members of a state, each an object, that say on which images the weights were trained and on
// which the metrics were measured. Exports to other formats copy them (interop/about.h).
inline constexpr std::array kAbout = {"trained_on", "pretrained_on", "measured_on"};

// Prefix of the name of a weight's moving average (EMA) among the optimizer's tensors.
inline constexpr const char* kEmaPrefix = "ema.";

struct Checkpoint {
  std::filesystem::path path;
  std::string format = "native";  // or "safetensors", "pth", "hf"
  int64_t step = 0;
  nlohmann::json state = nlohmann::json::object();
  // Tensors under their upstream names; interop/adapters.h renames those of files that use others.
  // A tensor in `model` may point into the data of `optimizer`, and the reverse.
  formats::TensorFile model;
  formats::TensorFile optimizer;  // empty unless with_optimizer
  formats::Buffer merged;         // bytes of tensors that the file stores in several parts
};

// The newest valid checkpoint in a run's `checkpoints` folder. Damaged ones are skipped and not
// removed; a warning names the reason, except for those that are older than the loaded one and of a
// lower step. nullopt: the folder holds no checkpoint. Throws Error(kCheckpoint) if all of them are
// damaged, or if there is none and `latest` names a step.
std::optional<Checkpoint> load_newest(const std::filesystem::path& folder, bool with_optimizer,
                                      Reporter& reporter);

// The state of the newest checkpoint with a valid manifest and files of the recorded sizes. Reads
// nothing else, so it does not skip a checkpoint whose tensors are damaged. nullopt: there is none.
std::optional<nlohmann::json> newest_state(const std::filesystem::path& folder);

// Reads one committed step folder. Throws Error(kCheckpoint) with the first rule it violates.
Checkpoint load_step(const std::filesystem::path& step_folder, bool with_optimizer);

// Whether a folder contains a manifest.json, as each step of a run does. The file is not read.
bool is_step(const std::filesystem::path& folder);
// Whether a folder holds steps: at least one step-N, or a `latest` that names a step.
bool has_steps(const std::filesystem::path& folder);
// The number of step folders, damaged ones included.
int64_t count_steps(const std::filesystem::path& folder);

// Checks manifest, sizes and hashes of a step folder, or of all steps in a folder. Throws
// Error(kCheckpoint) with the first violated rule. Returns the folders it checked.
std::vector<std::filesystem::path> verify_steps(const std::filesystem::path& folder);

}  // namespace fcm::checkpoint
