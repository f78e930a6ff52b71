// Whatever --checkpoint may name, ours or of another program, as a Checkpoint with published names.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "fcm/base/reporter.h"
#include "fcm/checkpoint/checkpoint.h"

namespace fcm::interop {

// A step-N folder, a run folder (its newest valid step), a .pth or .safetensors file, whatever it
// is called, or a folder in the layout of Hugging Face or timm (model_folder.h). Behind any of them
// "::NAME" asks for other weights than those that fit best: weight_sets.h; of a run "ema". Facts
// beside the weights are in `state` (facts.h). `threads` read, 0: as many as this process may use.
// Says what else there is and what is left out. Throws Error(kCheckpoint).
checkpoint::Checkpoint load_any(const std::filesystem::path& path, bool with_optimizer,
                                Reporter& reporter, int64_t threads = 0);

// Checks everything that can be checked of what --checkpoint may name, of a run folder all its
// checkpoints: manifest, sizes and hashes of ours, every rule of the format of other files. Throws
// Error(kCheckpoint) with the first rule that does not hold. Returns what was checked.
std::vector<std::filesystem::path> verify_any(const std::filesystem::path& path,
                                              int64_t threads = 0);

}  // namespace fcm::interop
