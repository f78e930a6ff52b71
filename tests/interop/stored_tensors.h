// Compares tensors with stored tensors, which are whole or sampled.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>

#include "fcm/formats/tensor_file.h"

namespace fcm::interop {

inline float number_at(const formats::TensorView& tensor, size_t index) {
  float value = 0;
  std::memcpy(&value, tensor.bytes.data() + index * sizeof value, sizeof value);
  return value;
}

// Whether the tensor has the bits stored in `golden`: whole under `name`, or sampled as NAME.val at
// the flat indices NAME.idx.
inline bool is_stored(const formats::TensorView& tensor, const std::string& name,
                      const formats::TensorFile& golden) {
  if (const formats::TensorView* whole = golden.find(name)) {
    return whole->shape == tensor.shape && whole->bytes.size() == tensor.bytes.size() &&
           std::memcmp(whole->bytes.data(), tensor.bytes.data(), tensor.bytes.size()) == 0;
  }
  const formats::TensorView *places = golden.find(name + ".idx"),
                            *values = golden.find(name + ".val");
  if (places == nullptr || values == nullptr) return false;
  for (size_t i = 0; i < values->bytes.size() / sizeof(float); ++i) {
    int64_t place = 0;
    std::memcpy(&place, places->bytes.data() + i * sizeof place, sizeof place);
    if (number_at(tensor, static_cast<size_t>(place)) != number_at(*values, i)) return false;
  }
  return true;
}

}  // namespace fcm::interop
