#include "fcm/formats/pickle_reader.h"

#include "fcm/base/text.h"

namespace fcm::formats {

std::span<const std::byte> PickleReader::take(uint64_t count) {
  if (count > pickle_.size() - next_) {
    refuse("it ends before STOP, or reaches beyond {} bytes", kMaxPickleBytes);
  }
  if (next_ < frame_end_ && count > frame_end_ - next_) {
    refuse("it reaches beyond its FRAME, which ends at byte {}", frame_end_);
  }
  const auto bytes = pickle_.subspan(next_, count);
  next_ += count;
  return bytes;
}

std::string_view PickleReader::line() {
  const auto rest = pickle_.subspan(next_);
  const auto window = rest.first(std::min(rest.size(), kMaxNameBytes));
  const auto end = std::find(window.begin(), window.end(), std::byte{'\n'});
  if (end == window.end()) refuse("a name of more than {} bytes", kMaxNameBytes);
  const auto bytes = take(static_cast<size_t>(end - window.begin()) + 1);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size() - 1};
}

void PickleReader::begin_frame(uint64_t bytes) {
  if (next_ < frame_end_) refuse("a FRAME begins inside another, which ends at {}", frame_end_);
  if (bytes > pickle_.size() - next_) {
    refuse("a FRAME of {} bytes, but only {} follow: the file is truncated or altered", bytes,
           pickle_.size() - next_);
  }
  frame_end_ = next_ + bytes;
}

void PickleReader::require_end_of_frame() const {
  if (next_ < frame_end_) refuse("STOP inside a FRAME that ends at byte {}", frame_end_);
}

namespace {

Node int_node(int64_t value) { return {NodeKind::kInt, 0, static_cast<uint64_t>(value)}; }

// Two's complement of `count` bytes; more than 8 become an opaque node.
Node long_node(size_t count, PickleReader& reader) {
  const auto bytes = reader.take(count);
  if (count > sizeof(int64_t)) return opaque_node(OpaqueKind::kLongNumber);
  if (count == 0) return int_node(0);
  uint64_t value = std::to_integer<int8_t>(bytes.back()) < 0 ? ~uint64_t{0} : 0;
  for (size_t i = count; i-- > 0;) value = value << 8 | std::to_integer<uint64_t>(bytes[i]);
  return int_node(static_cast<int64_t>(value));
}

Node span_node(NodeKind kind, uint64_t count, PickleReader& reader) {
  const size_t place = reader.place();
  reader.take(count);
  return {kind, static_cast<uint32_t>(count), place};
}

// Python 2's str: text if it is valid UTF-8, else bytes.
Node string_node(uint64_t count, PickleReader& reader) {
  const size_t place = reader.place();
  const auto bytes = reader.take(count);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return {is_utf8(text) ? NodeKind::kText : NodeKind::kBytes, static_cast<uint32_t>(count), place};
}

std::optional<Node> read_number(Opcode code, PickleReader& reader) {
  switch (code) {
    case Opcode::kNone:
      return Node{NodeKind::kNone};
    case Opcode::kNewTrue:
      return Node{NodeKind::kBool, 0, 1};
    case Opcode::kNewFalse:
      return Node{NodeKind::kBool, 0, 0};
    case Opcode::kBinInt:
      return int_node(reader.number<int32_t>());
    case Opcode::kBinInt1:
      return int_node(reader.number<uint8_t>());
    case Opcode::kBinInt2:
      return int_node(reader.number<uint16_t>());
    case Opcode::kLong1:
      return long_node(reader.number<uint8_t>(), reader);
    case Opcode::kBinFloat:
      return Node{NodeKind::kFloat, 0, __builtin_bswap64(reader.number<uint64_t>())};
    default:
      return std::nullopt;
  }
}

std::optional<Node> read_text(Opcode code, PickleReader& reader) {
  switch (code) {
    case Opcode::kShortBinString:
      return string_node(reader.number<uint8_t>(), reader);
    case Opcode::kBinString:
      return string_node(reader.number<uint32_t>(), reader);
    case Opcode::kShortBinUnicode:
      return span_node(NodeKind::kText, reader.number<uint8_t>(), reader);
    case Opcode::kBinUnicode:
      return span_node(NodeKind::kText, reader.number<uint32_t>(), reader);
    case Opcode::kBinUnicode8:
      return span_node(NodeKind::kText, reader.number<uint64_t>(), reader);
    case Opcode::kShortBinBytes:
      return span_node(NodeKind::kBytes, reader.number<uint8_t>(), reader);
    case Opcode::kBinBytes:
      return span_node(NodeKind::kBytes, reader.number<uint32_t>(), reader);
    case Opcode::kBinBytes8:
      return span_node(NodeKind::kBytes, reader.number<uint64_t>(), reader);
    default:
      return std::nullopt;
  }
}

}  // namespace

std::optional<Node> read_constant(Opcode code, PickleReader& reader) {
  if (const std::optional<Node> number = read_number(code, reader)) return number;
  return read_text(code, reader);
}

}  // namespace fcm::formats
