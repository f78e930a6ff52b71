// ONNX models as nodes, names and bytes. Source: onnx.proto of ONNX 1.12 (IR version 8, operator
// set 17), whose numbers of fields stand in onnx_fields.h. Knows no operator.
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

// Elements of tensors, by their numbers in onnx.proto.
enum class OnnxType : int32_t { kFloat = 1, kInt64 = 7 };

using OnnxAttribute = std::variant<int64_t, float, std::vector<int64_t>>;

struct OnnxNode {
  std::string op;  // of the default operators
  std::vector<std::string> inputs, outputs;
  std::map<std::string, OnnxAttribute> attributes;
};

// A tensor that stands in the file.
struct OnnxInitializer {
  using Take = std::function<void(std::span<const std::byte>)>;

  std::string name;
  OnnxType type = OnnxType::kFloat;
  std::vector<int64_t> shape;
  // Hands all of its bytes, row by row and little-endian, to whoever takes them. Called when they
  // are written, once, so that only one tensor need be made at a time.
  std::function<void(const Take&)> give;

  uint64_t bytes() const;
};

// What goes in or comes out.
struct OnnxValue {
  std::string name;
  OnnxType type = OnnxType::kFloat;
  std::vector<int64_t> shape;  // kAnyBatch: a number that the caller chooses, "N"
};
inline constexpr int64_t kAnyBatch = -1;

struct OnnxModel {
  std::string producer, version;  // who wrote it
  std::string name, description;  // of the graph; for people
  std::vector<OnnxNode> nodes;    // each behind those whose outputs it takes
  std::vector<OnnxInitializer> initializers;
  std::vector<OnnxValue> inputs, outputs;
  std::map<std::string, std::string> metadata;
};

inline constexpr int64_t kOnnxOperators = 17;  // version of the operators that nodes mean

// Readers of protocol buffers take messages below 2 GiB.
inline constexpr uint64_t kMostOnnxBytes = 2'000'000'000;

// Where the tensors of a model lie that is larger than one file may be: "<file>.data", beside it.
std::filesystem::path onnx_data_path(const std::filesystem::path& file);

// Whether a model of these tensors is written as two files.
bool needs_onnx_data(const OnnxModel& model, uint64_t most_bytes = kMostOnnxBytes);

// Writes the model, and where it would have more than `most_bytes`, its larger tensors to
// onnx_data_path. Each file is made beside its place, synced and renamed; of two files the data
// come first, and a model that stood there is gone before, so that no model ever goes with the data
// of another. Throws Error(kCheckpoint).
void write_onnx(const std::filesystem::path& file, const OnnxModel& model,
                uint64_t most_bytes = kMostOnnxBytes);

}  // namespace fcm::formats
