// Writes ONNX models as nodes, names and bytes, whatever their operators. Source: onnx.proto of
// ONNX 1.12 (IR version 8, operator set 17); its field numbers are in onnx_fields.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace fcm::formats {

// Element types of tensors, with the values of onnx.proto.
enum class OnnxType : int32_t { kFloat = 1, kInt64 = 7 };

using OnnxAttribute = std::variant<int64_t, float, std::vector<int64_t>>;

struct OnnxNode {
  std::string op;  // operator of the default domain
  std::vector<std::string> inputs, outputs;
  std::map<std::string, OnnxAttribute> attributes;
};

// A constant tensor of the model.
struct OnnxInitializer {
  using Take = std::function<void(std::span<const std::byte>)>;

  std::string name;
  OnnxType type = OnnxType::kFloat;
  std::vector<int64_t> shape;
  // Passes all bytes of the tensor (row-major, little-endian) to `Take`, in any number of chunks.
  // Called once, when the tensor is written, so that one tensor at a time suffices in memory.
  std::function<void(const Take&)> write_to;

  uint64_t bytes() const;
};

// An input or output of the graph.
struct OnnxValue {
  std::string name;
  OnnxType type = OnnxType::kFloat;
  std::vector<int64_t> shape;  // kAnyBatch: a dynamic dimension, named "N"
};
inline constexpr int64_t kAnyBatch = -1;

struct OnnxModel {
  std::string producer, version;  // the program that wrote it
  std::string name, description;  // the graph's name; for people
  std::vector<OnnxNode> nodes;    // in topological order
  std::vector<OnnxInitializer> initializers;
  std::vector<OnnxValue> inputs, outputs;
  std::map<std::string, std::string> metadata;
};

inline constexpr int64_t kOnnxOperators = 17;  // operator set version

// Bytes. Protocol buffer readers accept messages below 2 GiB.
inline constexpr uint64_t kMostOnnxBytes = 2'000'000'000;

// The data file of a model that is too large for one file: "<file>.data".
std::filesystem::path onnx_data_path(const std::filesystem::path& file);

// Whether the model is written as two files.
bool needs_onnx_data(const OnnxModel& model, uint64_t most_bytes = kMostOnnxBytes);

// Writes the model; if it would exceed `most_bytes`, its larger tensors go to onnx_data_path. Each
// file is written to a temporary file, synced and renamed. With two files, an older model file is
// removed first, then the data file and the model file are renamed, so that no model is ever paired
// with another model's data. Throws Error(kCheckpoint).
void write_onnx(const std::filesystem::path& file, const OnnxModel& model,
                uint64_t most_bytes = kMostOnnxBytes);

}  // namespace fcm::formats
