// Reads a whole safetensors file into tensors. Independent of fcm/, because tests must not depend
// on the code they test. Header only.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace fcm::test {

inline at::ScalarType safetensors_type(const std::string& name) {
  static const std::map<std::string, at::ScalarType> types{
      {"F64", at::kDouble}, {"F32", at::kFloat}, {"F16", at::kHalf},  {"BF16", at::kBFloat16},
      {"I64", at::kLong},   {"I32", at::kInt},   {"I16", at::kShort}, {"I8", at::kChar},
      {"U8", at::kByte},    {"BOOL", at::kBool}};
  return types.at(name);
}

// Name -> tensor, each with its own memory. Throws std::exception if the file is invalid.
inline std::map<std::string, at::Tensor> read_safetensors(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot open " + path);
  uint64_t header_bytes = 0;  // little endian, as this machine
  file.read(reinterpret_cast<char*>(&header_bytes), sizeof header_bytes);
  if (!file || header_bytes > 100'000'000) throw std::runtime_error("no safetensors file: " + path);
  std::string header(header_bytes, '\0');
  file.read(header.data(), static_cast<std::streamsize>(header_bytes));
  const auto data_begin = static_cast<int64_t>(8 + header_bytes);
  const nlohmann::json entries = nlohmann::json::parse(header);
  std::map<std::string, at::Tensor> tensors;
  for (const auto& [name, entry] : entries.items()) {
    if (name == "__metadata__") continue;
    const auto offsets = entry.at("data_offsets").get<std::vector<int64_t>>();
    at::Tensor tensor = at::empty(entry.at("shape").get<std::vector<int64_t>>(),
                                  at::TensorOptions().dtype(safetensors_type(entry.at("dtype"))));
    const int64_t bytes = offsets.at(1) - offsets.at(0);
    if (static_cast<int64_t>(tensor.nbytes()) != bytes) {
      throw std::runtime_error("shape and bytes of " + name + " disagree in " + path);
    }
    file.seekg(data_begin + offsets.at(0));
    file.read(static_cast<char*>(tensor.mutable_data_ptr()), bytes);
    if (!file) throw std::runtime_error("the file ends inside " + name + ": " + path);
    tensors.emplace(name, tensor);
  }
  return tensors;
}

}  // namespace fcm::test
