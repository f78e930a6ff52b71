// Reads records of TensorBoard event files; shares no code with the writer.
#pragma once

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string_view>

namespace fcm::test {

// CRC-32C bit by bit from its definition: polynomial 0x1edc6f41, reflected.
inline uint32_t crc32c(std::string_view bytes) {
  uint32_t crc = 0xffffffff;
  for (const unsigned char byte : bytes) {
    for (int bit = 0; bit < 8; ++bit) {
      const bool low = ((crc ^ (byte >> bit)) & 1) != 0;
      crc = (crc >> 1) ^ (low ? 0x82f63b78 : 0);
    }
  }
  return crc ^ 0xffffffff;
}

inline uint32_t masked_crc(std::string_view bytes) {
  const uint32_t crc = crc32c(bytes);
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8;
}

template <typename Number>
Number take(std::string_view& bytes) {
  Number number{};
  if (bytes.size() < sizeof number) throw std::runtime_error("too short");
  std::memcpy(&number, bytes.data(), sizeof number);
  bytes.remove_prefix(sizeof number);
  return number;
}

// Removes the next record and returns its message. Throws if a length or a checksum is wrong.
inline std::string_view take_record(std::string_view& bytes) {
  const std::string_view length_bytes = bytes.substr(0, 8);
  const auto length = take<uint64_t>(bytes);
  if (take<uint32_t>(bytes) != masked_crc(length_bytes)) throw std::runtime_error("length CRC");
  const std::string_view message = bytes.substr(0, length);
  if (message.size() != length) throw std::runtime_error("too short");
  bytes.remove_prefix(length);
  if (take<uint32_t>(bytes) != masked_crc(message)) throw std::runtime_error("message CRC");
  return message;
}

}  // namespace fcm::test
