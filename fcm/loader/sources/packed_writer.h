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
  int64_t side = 256;  // maximum of the shorter side in pixels; larger images are shrunk
  int quality = 95;    // of JPEGs
};

// Shrinks an image of 3 channels (bicubic, antialiased; the longer side is rounded as by
// torchvision's Resize) and returns it encoded. Throws Error(kData) if the format cannot hold it.
std::string packed_image(image::Image image, const PackedForm& form);

// Writes a temporary file, which finish() moves to `path`, so that `path` never holds an incomplete
// file. Throws Error(kUsage) if writing fails.
class PackedWriter {
 public:
  PackedWriter(const std::filesystem::path& path, PackedKind kind);
  // Starts a split, to which the images added next belong. Call it once, or with kTrain, then kVal.
  void begin(PackedSplit split, std::vector<std::string> classes);
  void add(std::string_view image, uint64_t checksum, int64_t label, std::string_view name);
  int64_t finish();  // returns the size of the file in bytes

 private:
  void write(std::string_view bytes);

  std::filesystem::path path_, temporary_;
  std::string head_;
  FileWriter file_;
  uint64_t written_ = 0;
  std::vector<PackedIndex> splits_;
};

}  // namespace fcm::loader
