// Reads a file once from beginning to end and optionally hashes it. For formats/ and checkpoint/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "fcm/base/file.h"
#include "fcm/formats/digest.h"

namespace fcm::formats {

// The file exists but the system cannot read it (permission, disk error); its content may be fine.
class CannotRead : public Error {
 public:
  using Error::Error;
};

class InputFile {
 public:
  // Regular files only: a pipe could block and a device might never end. Throws Error(kCheckpoint),
  // as a CannotRead if the file exists but cannot be read. `digest` (may be null) is updated with
  // every byte read. `threads`: reading threads, at most four; 0: one per core that this process
  // may use, at most four.
  InputFile(const std::filesystem::path& path, Digest* digest, int64_t threads = 0);

  uint64_t size() const { return size_; }
  uint64_t left() const { return size_ - position_; }
  std::string name() const { return path_.string(); }

  // Fills `bytes` with the next bytes of the file; large reads use several threads unless hashed.
  // Throws Error(kCheckpoint) if the file ends early.
  void read(std::span<std::byte> bytes);
  // Reads to the end of the file, so that the digest covers all of it.
  void skip_rest();

 private:
  // Reads at `position`; returns the number of bytes read.
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
