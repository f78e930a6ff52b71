#include "fcm/formats/safetensors_header.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <unordered_set>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/formats/header_events.h"

namespace fcm::formats {
namespace {

constexpr std::array<std::pair<std::string_view, uint64_t>, 17> kTypes = {{{"BOOL", 1},
                                                                           {"U8", 1},
                                                                           {"I8", 1},
                                                                           {"F8_E5M2", 1},
                                                                           {"F8_E4M3", 1},
                                                                           {"F8_E8M0", 1},
                                                                           {"I16", 2},
                                                                           {"U16", 2},
                                                                           {"F16", 2},
                                                                           {"BF16", 2},
                                                                           {"I32", 4},
                                                                           {"U32", 4},
                                                                           {"F32", 4},
                                                                           {"I64", 8},
                                                                           {"U64", 8},
                                                                           {"F64", 8},
                                                                           {"C64", 8}}};

void check_names(const std::vector<TensorPlace>& tensors, const std::string& file) {
  std::vector<std::string_view> names;
  names.reserve(tensors.size());
  for (const TensorPlace& tensor : tensors) names.push_back(tensor.name);
  std::sort(names.begin(), names.end());
  const auto twin = std::adjacent_find(names.begin(), names.end());
  if (twin != names.end()) {
    fail(ExitCode::kCheckpoint, "{}: duplicate tensor name {}", file, shown(*twin));
  }
}

void check_span(const TensorPlace& tensor, const std::string& file) {
  if (!bytes_per_element(tensor.dtype)) {
    fail(ExitCode::kCheckpoint, "{}: tensor {} has the unknown dtype {}", file, shown(tensor.name),
         shown(tensor.dtype));
  }
  const std::optional<uint64_t> bytes = bytes_of(tensor.dtype, tensor.shape);
  if (!bytes) {
    fail(ExitCode::kCheckpoint, "{}: the shape of tensor {} overflows 64 bits", file,
         shown(tensor.name));
  }
  if (tensor.begin > tensor.end) {
    fail(ExitCode::kCheckpoint, "{}: tensor {} ends at {}, before it begins at {}", file,
         shown(tensor.name), tensor.end, tensor.begin);
  }
  if (*bytes != tensor.end - tensor.begin) {
    fail(ExitCode::kCheckpoint, "{}: tensor {} has {} bytes, but its shape in {} needs {}", file,
         shown(tensor.name), tensor.end - tensor.begin, tensor.dtype, *bytes);
  }
}

// Every byte of the data must belong to exactly one tensor.
void check_cover(const std::vector<TensorPlace>& tensors, uint64_t data_bytes,
                 const std::string& file) {
  uint64_t covered = 0;
  for (const TensorPlace& tensor : tensors) {
    if (tensor.begin != covered) {
      fail(ExitCode::kCheckpoint,
           "{}: tensor {} begins at byte {}, which {} the one before it (ends at {})", file,
           shown(tensor.name), tensor.begin,
           tensor.begin < covered ? "overlaps" : "leaves a gap after", covered);
    }
    covered = tensor.end;
  }
  if (covered != data_bytes) {
    fail(
        ExitCode::kCheckpoint,
        "{}: its tensors end at byte {} of the data, but the file holds {}: it is truncated or has "
        "bytes appended",
        file, covered, data_bytes);
  }
}

}  // namespace

std::optional<uint64_t> bytes_per_element(std::string_view dtype) {
  for (const auto& [name, bytes] : kTypes) {
    if (name == dtype) return bytes;
  }
  return std::nullopt;
}

std::optional<uint64_t> bytes_of(std::string_view dtype, std::span<const int64_t> shape) {
  std::optional<uint64_t> bytes = bytes_per_element(dtype);
  if (!bytes) return std::nullopt;
  // The overflow check ignores extents of 0, so [2^63, 2^63, 0] is refused in any order.
  bool empty = false;
  for (const int64_t extent : shape) {
    if (extent < 0) return std::nullopt;
    empty = empty || extent == 0;
    const uint64_t factor = std::max<uint64_t>(1, static_cast<uint64_t>(extent));
    if (__builtin_mul_overflow(*bytes, factor, &*bytes)) return std::nullopt;
  }
  return empty ? 0 : bytes;
}

std::string shown(std::string_view text) {
  constexpr size_t kShown = 80;
  std::string result = "\"";
  for (const unsigned char byte : text.substr(0, kShown)) {
    if (byte < 0x20 || byte == 0x7f || byte == '"' || byte == '\\') {
      result += fmt::format("\\x{:02x}", byte);
    } else {
      result += static_cast<char>(byte);
    }
  }
  return result + (text.size() > kShown ? "...\"" : "\"");
}

SafetensorsHeader parse_safetensors_header(std::string_view text, uint64_t data_bytes,
                                           const std::string& file) {
  if (text.empty() || text.front() != '{') {
    fail(ExitCode::kCheckpoint, "{}: the header does not begin with {{", file);
  }
  // This JSON parser would stop at a zero byte where other parsers continue.
  if (std::memchr(text.data(), 0, text.size()) != nullptr) {
    fail(ExitCode::kCheckpoint, "{}: the header contains a zero byte", file);
  }
  HeaderEvents events;
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &events)) {
    fail(ExitCode::kCheckpoint, "{}: {}", file, events.reason());
  }
  SafetensorsHeader header = events.take();
  check_names(header.tensors, file);
  for (const TensorPlace& tensor : header.tensors) check_span(tensor, file);
  // Of tensors that begin at the same byte, empty ones come first.
  std::stable_sort(header.tensors.begin(), header.tensors.end(),
                   [](const TensorPlace& left, const TensorPlace& right) {
                     return std::pair(left.begin, left.end) < std::pair(right.begin, right.end);
                   });
  check_cover(header.tensors, data_bytes, file);
  return header;
}

std::string safetensors_header(std::span<const TensorView> tensors,
                               const std::map<std::string, std::string>& metadata,
                               const std::string& file) {
  std::string text(kLengthBytes, '\0');
  text += '{';
  if (!metadata.empty()) text += "\"__metadata__\":" + nlohmann::json(metadata).dump();
  std::unordered_set<std::string_view> names = {"__metadata__"};
  uint64_t offset = 0;
  for (const TensorView& tensor : tensors) {
    const std::optional<uint64_t> bytes = bytes_of(tensor.dtype, tensor.shape);
    if (!bytes || *bytes != tensor.bytes.size()) {
      fail(ExitCode::kCheckpoint,
           "{}: tensor {} has {} bytes, which does not match its shape [{}] of {}", file,
           shown(tensor.name), tensor.bytes.size(), fmt::join(tensor.shape, ", "),
           shown(tensor.dtype));
    }
    if (!names.insert(tensor.name).second) {
      fail(ExitCode::kCheckpoint, "{}: duplicate tensor name {}", file, shown(tensor.name));
    }
    text += fmt::format("{}{}:{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}}",
                        text.back() == '{' && text.size() == kLengthBytes + 1 ? "" : ",",
                        nlohmann::json(tensor.name).dump(), tensor.dtype,
                        fmt::join(tensor.shape, ","), offset, offset + *bytes);
    offset += *bytes;
  }
  text += '}';
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t length = text.size() - kLengthBytes;
  if (length > kMaxHeaderBytes || tensors.size() > kMaxTensors) {
    fail(ExitCode::kCheckpoint,
         "{}: {} tensors need a header of {} bytes, more than readers accept", file, tensors.size(),
         length);
  }
  static_assert(std::endian::native == std::endian::little);
  std::memcpy(text.data(), &length, kLengthBytes);
  return text;
}

}  // namespace fcm::formats
