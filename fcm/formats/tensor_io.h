// Tensor files together with their size and hash, as a manifest records them. Private to this
// folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>

#include "fcm/formats/tensor_file.h"

namespace fcm::formats {

struct FileRecord {
  uint64_t size = 0;
  std::string xxh3_128;  // 32 hexadecimal digits, of the whole file
};

// Writes the file at its final name and syncs it; removes it where that fails.
FileRecord write_tensor_file(const std::filesystem::path& path, std::span<const TensorView> tensors,
                             const std::map<std::string, std::string>& metadata);

// Reads and hashes in one pass. Throws Error(kCheckpoint) unless size, header and hash hold.
TensorFile read_tensor_file(const std::filesystem::path& path, const FileRecord& expected);

// The same checks in constant memory (beside the header).
void check_tensor_file(const std::filesystem::path& path, const FileRecord& expected);

// The cheap one: there, an ordinary file, and of the recorded size.
void check_size(const std::filesystem::path& path, const FileRecord& expected);

}  // namespace fcm::formats
