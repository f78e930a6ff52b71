// A file read once from front to end, hashed on the way if wanted. Private to this folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "fcm/base/file.h"
#include "fcm/formats/digest.h"

namespace fcm::formats {

// The system does not give the file, for want of permission or because the disk fails: that says
// nothing about what it holds.
class CannotRead : public Error {
 public:
  using Error::Error;
};

class InputFile {
 public:
  // Ordinary files only: a pipe would block, a device never end. Throws Error(kCheckpoint), which
  // is a CannotRead where the file is there.
  // `digest` (may be null) takes every byte read. At most `threads` read, and no more than four; 0:
  // one for each core that this process may use.
  InputFile(const std::filesystem::path& path, Digest* digest, int64_t threads = 0);

  uint64_t size() const { return size_; }
  uint64_t left() const { return size_ - position_; }
  std::string name() const { return path_.string(); }

  // Fills `bytes` with what comes next; much at once is read by several threads, unless it is
  // hashed. Throws Error(kCheckpoint) where the file ends before that.
  void read(std::span<std::byte> bytes);
  // Reads to the end, for the digest alone.
  void skip_rest();

 private:
  // Reads at `position`, and says how many bytes came.
  size_t read_some(std::span<std::byte> bytes, uint64_t position) const;
  void read_by_threads(std::span<std::byte> bytes) const;

  std::filesystem::path path_;
  Digest* digest_;
  int64_t threads_;
  Descriptor file_;
  uint64_t size_ = 0;
  uint64_t position_ = 0;
};

}  // namespace fcm::formats
