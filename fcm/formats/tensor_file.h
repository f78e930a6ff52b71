// Named tensors as bytes: what the readers and writers of safetensors and PyTorch files share.
// Links no LibTorch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "fcm/formats/buffer.h"

namespace fcm::formats {

// A tensor whose bytes are owned elsewhere.
struct TensorView {
  std::string name;
  std::string dtype;  // safetensors names: F32, F64, BF16, I64, ...
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes;
};

// The tensors of one file, in memory. Move-only: the views of a copy would point into the original.
struct TensorFile {
  TensorFile() = default;
  TensorFile(TensorFile&&) = default;
  TensorFile& operator=(TensorFile&&) = default;

  Buffer data;
  std::vector<TensorView> tensors;  // views into `data`, sorted as in the file
  std::map<std::string, std::string> metadata;

  const TensorView* find(const std::string& name) const;
};

}  // namespace fcm::formats
