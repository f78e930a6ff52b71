// A run's checkpoints: folders step-N of safetensors files and a manifest, committed by one rename.
// Knows bytes, names and shapes; what they mean is train/'s business. Links no LibTorch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "fcm/base/reporter.h"
#include "fcm/checkpoint/buffer.h"

namespace fcm::checkpoint {

// Bytes of a tensor that somebody else owns.
struct TensorView {
  std::string name;
  std::string dtype;  // safetensors names: F32, F64, BF16, I64, ...
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes;
};

// Tensors of one file, in memory. Moved, never copied: views of a copy would point into the
// original.
struct TensorFile {
  TensorFile() = default;
  TensorFile(TensorFile&&) = default;
  TensorFile& operator=(TensorFile&&) = default;

  Buffer data;
  std::vector<TensorView> tensors;  // views into `data`, sorted as in the file
  std::map<std::string, std::string> metadata;

  const TensorView* find(const std::string& name) const;
};

struct Retention {
  int64_t keep_last = 3;
  int64_t keep_every_steps = 0;  // multiples are never removed; 0: none
};

// Writes <folder>/step-N/{model,optimizer}.safetensors and manifest.json: a temporary folder, fsync
// of every file and of it, rename, fsync of <folder>, then `latest`, then removal of old ones. A
// failure leaves nothing half-made and every earlier checkpoint untouched, and throws
// Error(kCheckpoint). `state` is stored in the manifest as it is.
void save(const std::filesystem::path& folder, int64_t step, std::span<const TensorView> model,
          std::span<const TensorView> optimizer, const nlohmann::json& state,
          const Retention& retention);

struct Checkpoint {
  std::filesystem::path path;
  std::string format = "native";  // or "safetensors", "pth", "hf"
  int64_t step = 0;
  nlohmann::json state = nlohmann::json::object();
  // Published names, also where the file has others (adapters.h). Tensors of one may point into the
  // data of the other.
  TensorFile model;
  TensorFile optimizer;  // no tensors unless asked for
  Buffer merged;         // bytes of tensors that the file has in several pieces
};

// The newest valid checkpoint below a run's `checkpoints` folder. Damaged ones are skipped with a
// warning that names the reason, and never removed. nullopt: there is none at all. Throws
// Error(kCheckpoint) where there are some and all are damaged.
std::optional<Checkpoint> load_newest(const std::filesystem::path& folder, bool with_optimizer,
                                      Reporter& reporter);

// What --checkpoint names: a step-N folder, a run folder (its newest valid one), a .pth or
// .safetensors file, or a folder in the layout of Hugging Face (config.json, model.safetensors).
Checkpoint load(const std::filesystem::path& path, bool with_optimizer, Reporter& reporter);

// Checks everything that can be checked of what --checkpoint may name, of a run folder all its
// checkpoints: manifest, sizes and hashes of ours, every rule of the format of other files. Throws
// Error(kCheckpoint) with the first rule that does not hold. Returns what was checked.
std::vector<std::filesystem::path> verify(const std::filesystem::path& path);

}  // namespace fcm::checkpoint
