// The safetensors file format: the header's length (8 bytes), a JSON header, the tensors' bytes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>

#include "fcm/formats/tensor_file.h"

namespace fcm::formats {

// Replaces the file atomically and fsyncs it; the folder is not synced. Throws Error(kCheckpoint).
void write_safetensors(const std::filesystem::path& path, std::span<const TensorView> tensors,
                       const std::map<std::string, std::string>& metadata);

// Reads with every check of the format: header at most 100 MB, no duplicate names, known types,
// spans that match shape and type and tile the data from 0 to the file's end. No allocation depends
// on a number that was not checked against the file's size. `threads` as in read_pth. Throws
// Error(kCheckpoint), or Error(kDevice) if memory runs out.
TensorFile read_safetensors(const std::filesystem::path& path, int64_t threads = 0);
// The same from memory; copies the bytes.
TensorFile parse_safetensors(std::span<const std::byte> bytes, const std::string& name_for_errors);

}  // namespace fcm::formats
