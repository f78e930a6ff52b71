#include "fcm/loader/sources/tar_header.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "fcm/base/error.h"

namespace fcm::loader {
namespace {

// Offsets and sizes of fields, POSIX.1-1988 (ustar).
constexpr size_t kName = 0, kNameBytes = 100, kSize = 124, kNumberBytes = 12, kChecksum = 148,
                 kChecksumBytes = 8, kType = 156, kTarMagic = 257, kPrefix = 345,
                 kPrefixBytes = 155;
constexpr uint64_t kMostSize = uint64_t{1} << 62;

using Block = std::span<const uint8_t, kTarBlock>;

std::string text_of(Block block, size_t at, size_t bytes) {
  const char* const begin = reinterpret_cast<const char*>(block.data()) + at;
  return {begin, strnlen(begin, bytes)};
}

// Parses octal digits, optionally after spaces, and followed only by spaces or NULs.
uint64_t octal(std::span<const uint8_t> field, const char* what) {
  size_t at = 0;
  while (at < field.size() && field[at] == ' ') ++at;
  uint64_t value = 0;
  const size_t first = at;
  for (; at < field.size() && field[at] >= '0' && field[at] <= '7'; ++at) {
    value = value * 8 + (field[at] - '0');  // at most 12 digits: 36 bits
  }
  const bool closed = std::all_of(field.begin() + static_cast<std::ptrdiff_t>(at), field.end(),
                                  [](uint8_t byte) { return byte == ' ' || byte == 0; });
  if (at == first || !closed) fail(ExitCode::kData, "the {} is not an octal number", what);
  return value;
}

// GNU writes sizes from 8 GiB on as big-endian binary numbers, marked by the highest bit.
uint64_t size_of(Block block) {
  const auto field = block.subspan(kSize, kNumberBytes);
  if ((field[0] & 0x80) == 0) return octal(field, "size");
  uint64_t value = 0;
  bool fits = field[0] == 0x80;  // 0xff: negative
  for (const uint8_t byte : field.subspan(1)) {
    fits = fits && value < kMostSize >> 8;
    value = value << 8 | byte;
  }
  if (!fits) fail(ExitCode::kData, "the size is negative or at least 2^62");
  return value;
}

void check_sum(Block block) {
  uint64_t sum = 0;
  for (size_t i = 0; i < block.size(); ++i) {
    const bool own = i >= kChecksum && i < kChecksum + kChecksumBytes;
    sum += own ? ' ' : block[i];
  }
  if (sum != octal(block.subspan(kChecksum, kChecksumBytes), "checksum")) {
    fail(ExitCode::kData, "the header's checksum is wrong");
  }
}

uint64_t decimal(std::string_view text, const char* what) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value >= kMostSize) {
    fail(ExitCode::kData, "the {} of a pax record is not a number below 2^62", what);
  }
  return value;
}

}  // namespace

bool is_zero(std::span<const uint8_t> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte == 0; });
}

TarHeader parse_tar_header(Block block) {
  check_sum(block);
  const std::string_view magic(reinterpret_cast<const char*>(block.data()) + kTarMagic, 8);
  const bool posix = magic.starts_with(std::string_view("ustar\0", 6));
  // v7 (Seventh Edition Unix) has neither magic nor prefix.
  const bool older = is_zero(block.subspan(kTarMagic));
  if (!posix && !older && magic != std::string_view("ustar  \0", 8)) {
    fail(ExitCode::kData,
         "the header is in none of the formats POSIX, GNU and v7; write the archive again");
  }
  TarHeader header;
  header.name = text_of(block, kName, kNameBytes);
  if (posix) {  // GNU's format stores times in place of the prefix
    const std::string prefix = text_of(block, kPrefix, kPrefixBytes);
    if (!prefix.empty()) header.name = prefix + "/" + header.name;
  }
  header.type = block[kType] == 0 ? '0' : static_cast<char>(block[kType]);
  header.size = size_of(block);
  return header;
}

PaxRecords parse_pax(std::string_view text) {
  PaxRecords records;
  while (!text.empty()) {
    const size_t space = text.find(' ');
    const uint64_t length = decimal(text.substr(0, std::min(space, text.size())), "length");
    if (space == std::string_view::npos || length <= space + 1 || length > text.size() ||
        text[length - 1] != '\n') {
      fail(ExitCode::kData, "a pax record has a wrong length, {}", length);
    }
    const std::string_view record = text.substr(space + 1, length - space - 2);
    const size_t equals = record.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      fail(ExitCode::kData, "a pax record has no key");
    }
    const std::string_view key = record.substr(0, equals), value = record.substr(equals + 1);
    if (key == "path") records.path = std::string(value);
    if (key == "size") records.size = decimal(value, "size");
    if (key.starts_with("GNU.sparse.")) records.sparse = true;
    text.remove_prefix(length);
  }
  return records;
}

}  // namespace fcm::loader
