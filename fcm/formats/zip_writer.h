// Writes the kind of zip file that zip_directory.h reads. Private to this folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "fcm/base/file.h"

namespace fcm::formats {

class ZipWriter {
 public:
  // Members go into the top folder "archive", as in PyTorch.
  explicit ZipWriter(FileWriter& file) : file_(file) {}

  // The bytes begin at a multiple of 64, as in PyTorch, which may map them into memory.
  void add(std::string_view name, std::span<const std::byte> bytes);
  void add(std::string_view name, std::string_view text) {
    add(name, std::as_bytes(std::span(text)));
  }
  void finish();  // writes the central directory; the caller finishes `file`

 private:
  FileWriter& file_;
  uint64_t position_ = 0;
  uint64_t members_ = 0;
  std::string central_;
};

}  // namespace fcm::formats
