// Parses the 512-byte headers of tar archives (POSIX ustar and pax, GNU, v7). All faults are
// Error(kData); the message does not contain the archive's name, which the caller adds.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace fcm::loader {

inline constexpr size_t kTarBlock = 512;

struct TarHeader {
  std::string name;  // as stored, ustar's prefix included
  char type = '0';
  uint64_t size = 0;  // bytes of content, without the padding to whole blocks
};

bool is_zero(std::span<const uint8_t> bytes);

// Throws Error(kData) for a wrong checksum, an unknown magic or an invalid number.
TarHeader parse_tar_header(std::span<const uint8_t, kTarBlock> block);

// The records of a pax extended header that the loader uses.
struct PaxRecords {
  std::optional<std::string> path;
  std::optional<uint64_t> size;
  bool sparse = false;
};

// Each record is "LENGTH KEY=VALUE\n"; its newline must be byte number LENGTH.
PaxRecords parse_pax(std::string_view text);

}  // namespace fcm::loader
