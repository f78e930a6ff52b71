// Loads whatever --checkpoint may name, of this or another program, as a Checkpoint with upstream
// names.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "fcm/base/reporter.h"
#include "fcm/checkpoint/checkpoint.h"

namespace fcm::interop {

// `path` is a step-N folder, a run folder (its newest valid step is loaded), a PyTorch or
// safetensors file of any name, an index of several such files, or a folder in the layout of
// Hugging Face or timm (model_folder.h) or of the Hugging Face hub's cache (hub_cache.h). A suffix
// "::NAME" selects other weights than the best match: a name of weight_sets.h, or "ema" for a run.
// Facts beside the weights are in `state` (facts.h). `threads`: reading threads; 0: one per core
// that this process may use. Reports other weights in the file and tensors that are left out.
// Throws Error(kCheckpoint).
checkpoint::Checkpoint load_any(const std::filesystem::path& path, bool with_optimizer,
                                Reporter& reporter, int64_t threads = 0);

// Checks whatever --checkpoint may name: manifest, sizes and hashes of this program's checkpoints
// (all of them for a run folder), every rule of the format for other files. Throws
// Error(kCheckpoint) with the first violated rule. Returns the paths checked.
std::vector<std::filesystem::path> verify_any(const std::filesystem::path& path,
                                              int64_t threads = 0);

}  // namespace fcm::interop
