// Folders in the layouts of Hugging Face and timm: config.json beside one file of weights, or
// beside several shards with an index. Links no LibTorch.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "fcm/formats/tensor_file.h"

namespace fcm::interop {

inline constexpr const char* kConfigFile = "config.json";
inline constexpr const char* kModelFile = "model.safetensors";  // also in our own step folders

struct FoundWeights {
  std::filesystem::path file;
  std::vector<std::string> skipped;  // skipped candidates, and why
};

// The weights file in a folder, or the index of several (*.index.json): the first of the two
// libraries' usual names that holds weights, else the only file with a weights extension and
// content. nullopt: none, or several that cannot be told apart. Throws Error(kCheckpoint) if the
// folder cannot be read.
std::optional<FoundWeights> find_weights(const std::filesystem::path& folder);

bool is_index(const std::filesystem::path& file);

// The files that an index names, each once, in its order. Throws Error(kCheckpoint) for an invalid
// index, or for a name that is not that of a file beside it.
std::vector<std::filesystem::path> files_of_index(const std::filesystem::path& index);

// All tensors of these files, in one buffer, distributed as the index says. Throws
// Error(kCheckpoint) if a file is missing or lacks a tensor, or if two files have the same tensor.
formats::TensorFile read_indexed(const std::filesystem::path& index, int64_t threads);

// Names of files in a folder that may be weights, for messages: "a.bin, b.bin".
std::string weights_like(const std::filesystem::path& folder);

}  // namespace fcm::interop
