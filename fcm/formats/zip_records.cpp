#include "fcm/formats/zip_records.h"

#include <algorithm>
#include <array>
#include <optional>

#include "fcm/base/error.h"
#include "fcm/formats/little_endian.h"
#include "fcm/formats/safetensors_header.h"

namespace fcm::formats::zip {
namespace {

using Bytes = std::span<const std::byte>;

template <typename... Args>
[[noreturn]] void refuse(const std::string& file, fmt::format_string<Args...> format,
                         Args&&... args) {
  fail(ExitCode::kCheckpoint, "{}: zip: {}", file,
       fmt::format(format, std::forward<Args>(args)...));
}

std::string_view text_of(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// The zip64 field among the extra fields. Padding is skipped; other fields are refused, since
// another reader could interpret the member differently because of them.
std::optional<Bytes> zip64_field(Bytes extra, std::string_view member, const std::string& file) {
  std::optional<Bytes> found;
  while (!extra.empty()) {
    if (extra.size() < 4 || load_le<uint16_t>(extra, 2) > extra.size() - 4) {
      refuse(file, "the extra fields of member {} are truncated", shown(member));
    }
    const uint16_t kind = load_le<uint16_t>(extra, 0), size = load_le<uint16_t>(extra, 2);
    if (kind == kZip64Extra && !found) {
      found = extra.subspan(4, size);
    } else if (kind != kPaddingExtra) {
      refuse(file, "member {} has an extra field of kind {:#06x}; only zip64 and padding are read",
             shown(member), kind);
    }
    extra = extra.subspan(4 + size);
  }
  return found;
}

// The source text of a TorchScript archive, TOP/code/X, which PyTorch deflates and this reader
// skips.
bool is_script_source(std::string_view member) {
  const size_t top = std::min(member.find('/'), member.size());
  return member.substr(top).starts_with("/code/");
}

void check_storage(uint16_t flags, uint16_t method, std::string_view member,
                   const std::string& file) {
  if ((flags & 1U) != 0) refuse(file, "member {} is encrypted", shown(member));
  if ((flags & ~(kDescriptorFlag | kUtf8Flag)) != 0) {
    refuse(file, "member {} has the flags {:#06x}", shown(member), flags);
  }
  if (method != kStored && (method != kDeflated || !is_script_source(member))) {
    refuse(file, "member {} is compressed (method {}); only stored members are read", shown(member),
           method);
  }
}

// Replaces 32-bit sentinels by the values of the zip64 field.
void widen(CentralHeader& header, Bytes extra, const std::string& file) {
  const std::optional<Bytes> field = zip64_field(extra, header.name, file);
  size_t used = 0;
  for (uint64_t* value : {&header.size, &header.packed, &header.offset}) {
    if (*value != kSentinel32) continue;
    if (!field || field->size() < used + 8) {
      refuse(file, "member {} lacks its zip64 sizes", shown(header.name));
    }
    *value = load_le<uint64_t>(*field, used);
    used += 8;
  }
  if (field && used != field->size()) {
    refuse(file, "member {} has zip64 values that no field refers to", shown(header.name));
  }
}

// The zip64 values of the local header must occur in the central header, in the same order. PyTorch
// writes only values beyond 32 bits, with 0 as packed size; the data descriptor then has the packed
// size. Python's zipfile writes both sizes.
void check_local_zip64(Bytes field, const CentralHeader& central, const std::string& file) {
  const std::array<uint64_t, 3> expected = {central.size, central.packed, central.offset};
  const bool later = (central.flags & kDescriptorFlag) != 0;
  size_t next = 0;
  const auto fits = [&](uint64_t value) {
    return value == expected[next] || (next == 1 && later && value == 0);
  };
  for (size_t used = 0; used < field.size(); used += 8) {
    const bool whole = field.size() - used >= 8;
    while (whole && next < expected.size() && !fits(load_le<uint64_t>(field, used))) ++next;
    if (!whole || next == expected.size()) {
      refuse(file, "member {}: local and central header disagree in the zip64 values",
             shown(central.name));
    }
    ++next;
  }
}

void check_local_numbers(Bytes header, bool wide, const CentralHeader& central,
                         const std::string& file) {
  const uint64_t crc = load_le<uint32_t>(header, 14);
  const uint64_t packed = load_le<uint32_t>(header, 18), plain = load_le<uint32_t>(header, 22);
  const auto is_size = [&](uint64_t value, uint64_t expected) {
    return value == expected || (wide && value == kSentinel32);
  };
  const bool later =
      (central.flags & kDescriptorFlag) != 0 && crc == 0 && packed == 0 && plain == 0;
  if (!later &&
      (crc != central.crc32 || !is_size(packed, central.packed) || !is_size(plain, central.size))) {
    refuse(file, "member {}: local and central header disagree in size or CRC",
           shown(central.name));
  }
}

// Checks the data descriptor, which follows the data if the flag announces one; PyTorch omits it
// for empty members. Returns the offset after the descriptor.
uint64_t check_descriptor(Bytes bytes, uint64_t offset, bool wide, const CentralHeader& central,
                          const std::string& file) {
  if ((central.flags & kDescriptorFlag) == 0) return offset;
  const uint64_t size = wide ? 24 : 16;
  if (bytes.size() - offset < size || load_le<uint32_t>(bytes, offset) != kDescriptor) {
    if (central.size == 0) return offset;
    refuse(file, "member {} lacks its data descriptor", shown(central.name));
  }
  const uint64_t packed =
      wide ? load_le<uint64_t>(bytes, offset + 8) : load_le<uint32_t>(bytes, offset + 8);
  const uint64_t plain =
      wide ? load_le<uint64_t>(bytes, offset + 16) : load_le<uint32_t>(bytes, offset + 12);
  if (load_le<uint32_t>(bytes, offset + 4) != central.crc32 || packed != central.packed ||
      plain != central.size) {
    refuse(file, "member {}: its data descriptor and its central header disagree",
           shown(central.name));
  }
  return offset + size;
}

}  // namespace

CentralHeader read_central(Bytes bytes, uint64_t offset, const std::string& file) {
  const Bytes rest = bytes.subspan(offset);
  if (rest.size() < kCentralBytes || load_le<uint32_t>(rest, 0) != kCentral) {
    refuse(file, "no central header at byte {}", offset);
  }
  const uint64_t name = load_le<uint16_t>(rest, 28), extra = load_le<uint16_t>(rest, 30);
  if (rest.size() - kCentralBytes < name + extra) {
    refuse(file, "the central header at byte {} is truncated", offset);
  }
  CentralHeader header;
  header.name = text_of(rest.subspan(kCentralBytes, name));
  header.flags = load_le<uint16_t>(rest, 8);
  header.method = load_le<uint16_t>(rest, 10);
  check_storage(header.flags, header.method, header.name, file);
  if (load_le<uint16_t>(rest, 32) != 0 || load_le<uint16_t>(rest, 34) != 0) {
    refuse(file, "member {} has a comment or lies on another disk", shown(header.name));
  }
  header.crc32 = load_le<uint32_t>(rest, 16);
  header.packed = load_le<uint32_t>(rest, 20);
  header.size = load_le<uint32_t>(rest, 24);
  header.offset = load_le<uint32_t>(rest, 42);
  widen(header, rest.subspan(kCentralBytes + name, extra), file);
  if (header.method == kStored && header.packed != header.size) {
    refuse(file, "member {} is stored, but its two sizes differ", shown(header.name));
  }
  header.end = offset + kCentralBytes + name + extra;
  return header;
}

LocalSpan read_local(Bytes bytes, const CentralHeader& central, const std::string& file) {
  if (central.offset > bytes.size() || bytes.size() - central.offset < kLocalBytes ||
      load_le<uint32_t>(bytes, central.offset) != kLocal) {
    refuse(file, "member {} has no local header at byte {}", shown(central.name), central.offset);
  }
  const Bytes rest = bytes.subspan(central.offset);
  const uint64_t name = load_le<uint16_t>(rest, 26), extra = load_le<uint16_t>(rest, 28);
  if (rest.size() - kLocalBytes < name + extra) {
    refuse(file, "the local header of member {} is truncated", shown(central.name));
  }
  if (text_of(rest.subspan(kLocalBytes, name)) != central.name) {
    refuse(file, "local and central header disagree in the name: {} and {}",
           shown(text_of(rest.subspan(kLocalBytes, name))), shown(central.name));
  }
  if (load_le<uint16_t>(rest, 6) != central.flags || load_le<uint16_t>(rest, 8) != central.method) {
    refuse(file, "member {}: local and central header disagree in flags or method",
           shown(central.name));
  }
  const std::optional<Bytes> field =
      zip64_field(rest.subspan(kLocalBytes + name, extra), central.name, file);
  if (field) check_local_zip64(*field, central, file);
  check_local_numbers(rest, field.has_value(), central, file);
  LocalSpan span;
  span.data = central.offset + kLocalBytes + name + extra;
  if (bytes.size() - span.data < central.packed) {
    refuse(file, "member {} has {} bytes, which reach into the central directory",
           shown(central.name), central.packed);
  }
  span.end = check_descriptor(bytes, span.data + central.packed, field.has_value(), central, file);
  return span;
}

}  // namespace fcm::formats::zip
