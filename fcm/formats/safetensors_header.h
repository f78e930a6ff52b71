// The JSON header of a safetensors file, and the rules it must satisfy. Private to this folder.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fcm/formats/tensor_file.h"

namespace fcm::formats {

constexpr uint64_t kLengthBytes = 8;  // of the little-endian header length, before the JSON
constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // limit of the format
constexpr uint64_t kMaxTensors = 1 << 17;          // our limit: keeps memory near the file's size
constexpr uint64_t kMaxMetadataEntries = 1 << 16;  // our limit
constexpr uint64_t kMaxDimensions = 32;            // our limit

// A tensor's entry in the header; its bytes are [begin, end) after the header.
struct TensorPlace {
  std::string name;
  std::string dtype;
  std::vector<int64_t> shape;
  uint64_t begin = 0;
  uint64_t end = 0;
};

struct SafetensorsHeader {
  std::vector<TensorPlace> tensors;  // in the order of their bytes
  std::map<std::string, std::string> metadata;
};

// Bytes per element of a safetensors type; nullopt: unknown type.
std::optional<uint64_t> bytes_per_element(std::string_view dtype);

// Bytes of a tensor; nullopt: unknown type, a negative extent, or overflow of 64 bits.
std::optional<uint64_t> bytes_of(std::string_view dtype, std::span<const int64_t> shape);

// `text` for an error message: quoted, with control bytes, quotes and backslashes escaped, cut
// after 80 bytes.
std::string shown(std::string_view text);

// `text`: the JSON; `data_bytes`: number of bytes after it. Throws Error(kCheckpoint), which names
// `file` and the violated rule.
SafetensorsHeader parse_safetensors_header(std::string_view text, uint64_t data_bytes,
                                           const std::string& file);

// Length, JSON and padding for these tensors in this order. Throws Error(kCheckpoint) for duplicate
// names, a size that does not match shape and type, and more tensors or a longer header than
// readers accept.
std::string safetensors_header(std::span<const TensorView> tensors,
                               const std::map<std::string, std::string>& metadata,
                               const std::string& file);

}  // namespace fcm::formats
