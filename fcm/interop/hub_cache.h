// The cache of the Hugging Face hub: models--ORGANISATION--NAME with refs/, blobs/ and snapshots/,
// whose files are links into blobs/. Links no LibTorch.
#pragma once

#include <filesystem>
#include <optional>

namespace fcm::interop {

// Finds the model files for a folder of the cache. For a model's folder or its snapshots/, returns
// the snapshot that refs/main names, or the only snapshot. nullopt: `folder` is not a folder of the
// cache. Throws Error(kCheckpoint), with the names to choose from, if the snapshot is ambiguous or
// if the folder is the whole cache.
std::optional<std::filesystem::path> snapshot_in(const std::filesystem::path& folder);

}  // namespace fcm::interop
