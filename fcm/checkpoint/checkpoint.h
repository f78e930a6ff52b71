// A run's checkpoints: folders step-N of safetensors files and a manifest, committed by one rename.
// Knows bytes, names and shapes; what they mean is train/'s business. Links no LibTorch.
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

struct Retention {
  int64_t keep_last = 3;
  int64_t keep_every_steps = 0;  // multiples are never removed; 0: none
};

// Writes <folder>/step-N/{model,optimizer}.safetensors and manifest.json: a temporary folder, fsync
// of every file and of it, rename, fsync of <folder>, then `latest`, then removal of old ones. A
// failure leaves nothing half-made and every earlier checkpoint untouched, and throws
// Error(kCheckpoint). `state` is stored in the manifest as it is.
void save(const std::filesystem::path& folder, int64_t step,
          std::span<const formats::TensorView> model,
          std::span<const formats::TensorView> optimizer, const nlohmann::json& state,
          const Retention& retention);

// The first step-N (or step-N.old) of a folder with files named as save() names them, but without a
// manifest of this program: it may be somebody else's. nullopt: there is none.
std::optional<std::filesystem::path> first_foreign_step(const std::filesystem::path& folder);

// Removes the checkpoints of a folder, oldest first, `latest`, what dead processes left behind, and
// the folder itself, unless something else lies in it. Whatever save() did not write stays, and the
// folder it lies in; a link at step-N is removed, not followed. `folder` must be no link. Throws
// Error(kCheckpoint) where there is a foreign step (nothing is removed then), or where something of
// ours cannot be removed; what is left is ours, and the call may be repeated.
void remove_checkpoints(const std::filesystem::path& folder);

// Members of a state, objects, that say which pictures its weights come from and figures were
// counted on; files of other formats take them along (interop/about.h).
inline constexpr std::array kAbout = {"trained_on", "pretrained_on", "measured_on"};

// In front of the name of a weight's moving average, among the tensors of the optimizer.
inline constexpr const char* kEmaPrefix = "ema.";

struct Checkpoint {
  std::filesystem::path path;
  std::string format = "native";  // or "safetensors", "pth", "hf"
  int64_t step = 0;
  nlohmann::json state = nlohmann::json::object();
  // Published names, also where a foreign file has others (interop/adapters.h). Tensors of one may
  // point into the data of the other.
  formats::TensorFile model;
  formats::TensorFile optimizer;  // no tensors unless asked for
  formats::Buffer merged;         // bytes of tensors that the file has in several pieces
};

// The newest valid checkpoint below a run's `checkpoints` folder. Damaged ones are skipped with a
// warning that names the reason, and never removed. nullopt: there is none at all. Throws
// Error(kCheckpoint) where there are some and all are damaged.
std::optional<Checkpoint> load_newest(const std::filesystem::path& folder, bool with_optimizer,
                                      Reporter& reporter);

// The state of that checkpoint, by manifests alone: nothing of the tensors is read, so one whose
// tensors are damaged is not passed over. nullopt: there is none whose manifest is sound.
std::optional<nlohmann::json> newest_state(const std::filesystem::path& folder);

// One committed step folder. Throws Error(kCheckpoint) with the first rule that does not hold.
Checkpoint load_step(const std::filesystem::path& step_folder, bool with_optimizer);

// Whether a folder is one step of a run, and whether it holds steps: step-N, or a `latest` that
// names one.
bool is_step(const std::filesystem::path& folder);
bool has_steps(const std::filesystem::path& folder);
// How many there are, damaged ones included.
int64_t count_steps(const std::filesystem::path& folder);

// Checks manifest, sizes and hashes of a step folder, or of all steps in a folder. Throws
// Error(kCheckpoint) with the first rule that does not hold. Returns what was checked.
std::vector<std::filesystem::path> verify_steps(const std::filesystem::path& folder);

}  // namespace fcm::checkpoint
