// Reads and writes tensor files together with the size and hash that a manifest records. For
// formats/ and checkpoint/.
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

// Writes the file under its final name and fsyncs it; removes it on failure.
FileRecord write_tensor_file(const std::filesystem::path& path, std::span<const TensorView> tensors,
                             const std::map<std::string, std::string>& metadata);

// Reads and hashes in one pass. Throws Error(kCheckpoint) if size, header or hash are wrong.
TensorFile read_tensor_file(const std::filesystem::path& path, const FileRecord& expected);

// Checks as read_tensor_file does, but without loading the tensors: constant memory apart from the
// header.
void check_tensor_file(const std::filesystem::path& path, const FileRecord& expected);

// Checks only that a regular file of the recorded size exists. Throws Error(kCheckpoint).
void check_size(const std::filesystem::path& path, const FileRecord& expected);

}  // namespace fcm::formats
