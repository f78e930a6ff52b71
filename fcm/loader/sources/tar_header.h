// The 512-byte headers of tar archives (POSIX ustar and pax, GNU, v7), from bytes to facts. Reasons
// of failure are Error(kData) without the archive's name.
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
  uint64_t size = 0;  // bytes that follow, before padding to whole blocks
};

bool is_zero(std::span<const uint8_t> bytes);

// Checks checksum, magic and numbers.
TarHeader parse_tar_header(std::span<const uint8_t, kTarBlock> block);

// What a pax extended header says of its member, as far as it matters here.
struct PaxRecords {
  std::optional<std::string> path;
  std::optional<uint64_t> size;
  bool sparse = false;
};

// Every record must be whole: "LENGTH KEY=VALUE\n", with a length that ends where it says.
PaxRecords parse_pax(std::string_view text);

}  // namespace fcm::loader
