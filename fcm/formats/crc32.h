// CRC-32 of zip files. Private to this folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace fcm::formats {

// The checksum of `bytes`, computed at several GB/s (libdeflate).
uint32_t crc32(std::span<const std::byte> bytes);

}  // namespace fcm::formats
