// Streams feature rows, each with a label, to .npy (numpy) or .safetensors.
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
// N is known only in finish(), which rewrites the header in place; the header is long enough for
// any N up to `most_rows`. Files appear in finish(), each atomically and F last: if F exists, its
// labels do too. Only the labels are held in memory. Throws Error(kUsage), which names path and
// reason.
class FeatureFile {
 public:
  // `most_rows`: upper bound on the number of rows. `metadata` is written to a .safetensors file
  // only.
  FeatureFile(std::filesystem::path path, int64_t width, int64_t most_rows,
              std::map<std::string, std::string> metadata);

  // `rows` holds labels.size() rows of `width` values.
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

// The label file of F.npy: F.labels.npy.
std::filesystem::path labels_path(const std::filesystem::path& npy);

}  // namespace fcm::formats
