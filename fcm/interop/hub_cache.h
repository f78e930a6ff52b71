// The cache of the Hugging Face hub: models--ORGANISATION--NAME with refs/, blobs/ and snapshots/,
// whose files are links into blobs/. Links no LibTorch.
#pragma once

#include <filesystem>
#include <optional>

namespace fcm::interop {

// The folder of model files that a folder of the cache stands for: of a model, or of its
// snapshots, the one that refs/main names, or the only one. nullopt: it is no such folder. Throws
// Error(kCheckpoint) where it is one and does not tell, or is the whole cache, with what to name.
std::optional<std::filesystem::path> snapshot_in(const std::filesystem::path& folder);

}  // namespace fcm::interop
