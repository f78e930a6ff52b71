// Rows of numbers with a label each, written as they come: .npy for numpy, or .safetensors.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "fcm/base/file.h"

namespace fcm::formats {

// F.npy:          float32 [N, width] in F.npy, int64 [N] in F.labels.npy (numpy's format 1.0).
// F.safetensors:  tensors "features" F32 [N, width] and "labels" I64 [N], and metadata.
//
// N is known at the end alone, so headers are written with room and filled in then. Files appear at
// finish(), each in one step and F last: where F is, what goes with it is too. Memory: the labels.
// Throws Error(kUsage), which names path and reason.
class FeatureFile {
 public:
  // `most_rows`: more will not come. `metadata` goes into a .safetensors file.
  FeatureFile(std::filesystem::path path, int64_t width, int64_t most_rows,
              std::map<std::string, std::string> metadata);

  // Whole rows, and as many labels.
  void add(std::span<const float> rows, std::span<const int64_t> labels);
  int64_t rows() const { return std::ssize(labels_); }
  void finish();

 private:
  bool is_npy() const { return path_.extension() == ".npy"; }
  std::string header(int64_t rows) const;
  void write_labels_beside();

  std::filesystem::path path_, temporary_;
  int64_t width_, most_rows_;
  std::map<std::string, std::string> metadata_;
  size_t header_bytes_ = 0;
  std::vector<int64_t> labels_;
  std::optional<FileWriter> file_;
};

// Where F.npy's labels lie: F.labels.npy.
std::filesystem::path labels_path(const std::filesystem::path& npy);

}  // namespace fcm::formats
