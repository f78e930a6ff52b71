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
  int64_t side = 256;  // largest shorter side in pixels; smaller images keep their size
  int quality = 95;    // of JPEGs
};

// The bytes of one image with 3 channels, which is shrunk (bicubic, antialiased; the longer side is
// rounded as by torchvision's Resize) and encoded. Throws Error(kData) if the kind cannot hold it.
std::string packed_image(image::Image image, const PackedForm& form);

// Writes a temporary file, which finish() moves to `path`: the path never holds an incomplete file.
// Throws Error(kUsage) if writing fails.
class PackedWriter {
 public:
  PackedWriter(const std::filesystem::path& path, PackedKind kind);
  // Starts a split: the images added next belong to it. Call it once, or with kTrain and then kVal.
  void begin(PackedSplit split, std::vector<std::string> classes);
  void add(std::string_view image, uint64_t checksum, int64_t label, std::string_view name);
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
