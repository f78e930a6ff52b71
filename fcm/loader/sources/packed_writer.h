// Writes packed files (packed_layout.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "fcm/base/file.h"
#include "fcm/image/image.h"
#include "fcm/loader/sources/packed_layout.h"

namespace fcm::loader {

struct PackedForm {
  PackedKind kind = PackedKind::kJpeg;
  int64_t side = 256;  // pixels of the shorter side; smaller pictures stay as they are
  int quality = 95;    // of the JPEGs
};

// The bytes of one picture of 3 channels: shrunk (bicubic, antialiased, as torchvision's Resize
// rounds the longer side) and encoded. Throws Error(kData) for what the kind cannot hold.
std::string packed_picture(image::Image picture, const PackedForm& form);

// A file that appears at `path` whole, in finish(), or not at all. Throws Error(kUsage) where the
// system takes no more.
class PackedWriter {
 public:
  PackedWriter(const std::filesystem::path& path, PackedKind kind);
  // What is added next belongs to this split; both splits at once, or train and then val.
  void begin(PackedSplit split, std::vector<std::string> classes);
  void add(std::string_view picture, uint64_t checksum, int64_t label, std::string_view name);
  int64_t finish();  // size of the file in bytes

 private:
  void write(std::string_view bytes);

  std::filesystem::path path_, temporary_;
  std::string head_;
  FileWriter file_;
  uint64_t written_ = 0;
  std::vector<PackedIndex> splits_;
};

}  // namespace fcm::loader
