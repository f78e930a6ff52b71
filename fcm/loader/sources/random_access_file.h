// A file that is read at given offsets, by several threads.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

#include "fcm/base/file.h"

namespace fcm::loader {

// Facts about a file that differ after it was replaced or modified.
struct FileIdentity {
  uint64_t device = 0, inode = 0, size = 0;
  int64_t seconds = 0, nanoseconds = 0;  // of the last modification
  bool operator==(const FileIdentity&) const = default;
};

class RandomAccessFile {
 public:
  // Throws Error(kData) if the path cannot be opened or is not a regular file; never blocks on a
  // pipe.
  explicit RandomAccessFile(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  const FileIdentity& identity() const { return identity_; }
  uint64_t size() const { return identity_.size; }

  // Fills `into` with the bytes from `offset` on. Throws Error(kData) if the file has too few.
  void read(uint64_t offset, std::span<uint8_t> into) const;

 private:
  std::filesystem::path path_;
  Descriptor file_;
  FileIdentity identity_;
};

}  // namespace fcm::loader
