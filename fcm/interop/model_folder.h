// Folders in the layouts of Hugging Face and timm: config.json beside one file of weights, or
// beside several with an index of them. Links no LibTorch.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "fcm/formats/tensor_file.h"

namespace fcm::interop {

inline constexpr const char* kConfigFile = "config.json";
inline constexpr const char* kModelFile = "model.safetensors";  // also of our own step folders

struct FoundWeights {
  std::filesystem::path file;
  std::vector<std::string> passed_over;  // what stood before it and is none, with what it is
};

// The file of weights in a folder, or the index of several (*.index.json): the first of the names
// that the two libraries use with weights behind it, or else the only file that ends like one and
// begins as weights do. nullopt: there is none, or several and no telling. Throws
// Error(kCheckpoint) where the folder cannot be read.
std::optional<FoundWeights> find_weights(const std::filesystem::path& folder);

bool is_index(const std::filesystem::path& file);

// The files that an index names, once each, in its order. Throws Error(kCheckpoint) for an index
// that is none, or with a name that is more than the name of a file beside it.
std::vector<std::filesystem::path> files_of_index(const std::filesystem::path& index);

// All tensors of these files, in one memory, as the index distributes them. Throws
// Error(kCheckpoint) where a file is missing or lacks a tensor, or two files have one name.
formats::TensorFile read_indexed(const std::filesystem::path& index, int64_t threads);

// Names of files in a folder that may be weights, for messages: "a.bin, b.bin".
std::string weights_like(const std::filesystem::path& folder);

}  // namespace fcm::interop
