// Whatever --checkpoint may name, ours or of another program, as a Checkpoint with published names.
#pragma once

#include <filesystem>
#include <vector>

#include "fcm/base/reporter.h"
#include "fcm/checkpoint/checkpoint.h"

namespace fcm::interop {

// A step-N folder, a run folder (its newest valid step), a .pth or .safetensors file, or a folder
// in the layout of Hugging Face (config.json, model.safetensors). Throws Error(kCheckpoint).
checkpoint::Checkpoint load_any(const std::filesystem::path& path, bool with_optimizer,
                                Reporter& reporter);

// Checks everything that can be checked of what --checkpoint may name, of a run folder all its
// checkpoints: manifest, sizes and hashes of ours, every rule of the format of other files. Throws
// Error(kCheckpoint) with the first rule that does not hold. Returns what was checked.
std::vector<std::filesystem::path> verify_any(const std::filesystem::path& path);

}  // namespace fcm::interop
