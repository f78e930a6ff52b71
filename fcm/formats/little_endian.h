// Reads little-endian numbers from file bytes. Private to this folder.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <span>

namespace fcm::formats {

static_assert(std::endian::native == std::endian::little, "tensors are used as stored in files");

// The number at `offset`. Callers check that it lies inside `bytes`.
template <std::integral T>
T load_le(std::span<const std::byte> bytes, size_t offset) {
  T value;
  std::memcpy(&value, bytes.subspan(offset, sizeof(T)).data(), sizeof(T));
  return value;
}

}  // namespace fcm::formats
