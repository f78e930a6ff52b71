#include "fcm/formats/feature_file.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/formats/json_text.h"
#include "fcm/formats/little_endian.h"

namespace fcm::formats {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFeatures = "features";
constexpr size_t kNpyHeaderBytes = 128;  // bytes of every .npy header here: enough for any shape

// The bytes of a little-endian number.
template <typename Number>
std::string bytes_of(Number number) {
  return {reinterpret_cast<const char*>(&number), sizeof(number)};
}

// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html, version 1.0: magic, two
// bytes of version, two of length, a Python literal, spaces up to a multiple of 64 and a newline.
std::string npy_header(const char* type, const std::string& shape) {
  std::string text =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", type, shape);
  constexpr size_t kBefore = 10;
  text.resize(kNpyHeaderBytes - kBefore - 1, ' ');
  text += '\n';
  return std::string("\x93NUMPY\x01\x00", 8) + bytes_of(static_cast<uint16_t>(text.size())) + text;
}

std::string safetensors_json(int64_t rows, int64_t width,
                             const std::map<std::string, std::string>& metadata) {
  const int64_t features = rows * width * static_cast<int64_t>(sizeof(float));
  const int64_t all = features + rows * static_cast<int64_t>(sizeof(int64_t));
  nlohmann::json json = {{"features",
                          {{"dtype", "F32"},
                           {"shape", nlohmann::json::array({rows, width})},
                           {"data_offsets", nlohmann::json::array({0, features})}}},
                         {"labels",
                          {{"dtype", "I64"},
                           {"shape", nlohmann::json::array({rows})},
                           {"data_offsets", nlohmann::json::array({features, all})}}}};
  if (!metadata.empty()) json["__metadata__"] = metadata;
  return json_text(json);
}

}  // namespace

fs::path labels_path(const fs::path& npy) { return fs::path(npy).replace_extension(".labels.npy"); }

FeatureFile::FeatureFile(fs::path path, int64_t width, int64_t most_rows,
                         std::map<std::string, std::string> metadata)
    : path_(std::move(path)),
      temporary_(path_.string() + ".tmp"),
      width_(width),
      most_rows_(most_rows),
      metadata_(std::move(metadata)) {
  file_.emplace(temporary_, ExitCode::kUsage, kFeatures);
  const std::string start = header(most_rows);
  header_bytes_ = start.size();
  file_->write(start);
}

// The header for `rows` rows, padded to the same length for any number up to most_rows_.
std::string FeatureFile::header(int64_t rows) const {
  if (is_npy()) return npy_header("<f4", fmt::format("{}, {}", rows, width_));
  std::string text = safetensors_json(rows, width_, metadata_);
  const size_t longest = safetensors_json(most_rows_, width_, metadata_).size();
  text.resize((longest + 7) / 8 * 8, ' ');
  return bytes_of(static_cast<uint64_t>(text.size())) + text;
}

void FeatureFile::add(std::span<const float> rows, std::span<const int64_t> labels) {
  require(std::ssize(rows) == std::ssize(labels) * width_,
          "FeatureFile: expected rows x width values, got {} for {} rows of width {}", rows.size(),
          labels.size(), width_);
  file_->write(std::as_bytes(rows));
  labels_.insert(labels_.end(), labels.begin(), labels.end());
  require(this->rows() <= most_rows_,
          "FeatureFile: {} rows added, but its header has room for {} only", this->rows(),
          most_rows_);
}

void FeatureFile::finish() {
  if (!is_npy()) file_->write(std::as_bytes(std::span(labels_)));
  const std::string start = header(rows());
  require(start.size() == header_bytes_, "FeatureFile: expected a header of {} bytes, got {}",
          header_bytes_, start.size());
  file_->rewrite_beginning(start);
  if (is_npy()) write_labels_beside();
  file_->finish();
  move_into_place(temporary_, path_, ExitCode::kUsage, kFeatures);
  const fs::path folder = path_.parent_path();
  sync_folder(folder.empty() ? "." : folder, ExitCode::kUsage, kFeatures);
}

void FeatureFile::write_labels_beside() {
  std::string content = npy_header("<i8", fmt::format("{},", rows()));
  content.append(reinterpret_cast<const char*>(labels_.data()), labels_.size() * sizeof(int64_t));
  write_file_durably(labels_path(path_), content, ExitCode::kUsage, kFeatures);
}

}  // namespace fcm::formats
