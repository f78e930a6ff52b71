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
  std::vector<std::string> skipped;  // "NAME is ...": candidates that hold no weights
};

// The weights file in a folder, or the index of several files (*.index.json). Tries the file names
// of Hugging Face, timm and open_clip in turn and takes the first file that holds weights; if none
// of them does, the first one, so that reading it reports why. If there is no such name: the only
// file with the extension and content of weights. nullopt: there is none, or several are equally
// good. Throws Error(kCheckpoint) if the folder cannot be read.
std::optional<FoundWeights> find_weights(const std::filesystem::path& folder);

bool is_index(const std::filesystem::path& file);

// The files that an index names, each once, in the order of the tensors' names. Throws
// Error(kCheckpoint) for an invalid index, or if a named file is not beside the index.
std::vector<std::filesystem::path> files_of_index(const std::filesystem::path& index);

// All tensors of the files of an index, in one buffer. Throws Error(kCheckpoint) if a file is
// missing or lacks a tensor that the index puts into it, or if two files have the same tensor.
formats::TensorFile read_indexed(const std::filesystem::path& index, int64_t threads);

// Names of files in a folder that may be weights, for messages: "a.bin, b.bin".
std::string weights_like(const std::filesystem::path& folder);

}  // namespace fcm::interop
