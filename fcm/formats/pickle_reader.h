// Reads the bytes of a pickle in order, never beyond the current frame, and executes the opcodes
// that carry a constant. Private to this folder.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/formats/little_endian.h"
#include "fcm/formats/pickle_graph.h"
#include "fcm/formats/pickle_opcodes.h"

namespace fcm::formats {

class PickleReader {
 public:
  // Reads at most kMaxPickleBytes of `bytes`. Messages begin with `what`, which must outlive this
  // reader.
  PickleReader(std::span<const std::byte> bytes, const std::string& what)
      : pickle_(bytes.first(std::min(bytes.size(), kMaxPickleBytes))), what_(what) {}

  // Throws Error(kCheckpoint), which names the byte position of the opcode.
  template <typename... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) const {
    fail(ExitCode::kCheckpoint, "{}: pickle, byte {}: {}", what_, op_,
         fmt::format(format, std::forward<Args>(args)...));
  }

  Opcode next_opcode() {
    op_ = next_;
    return static_cast<Opcode>(take(1)[0]);
  }
  std::span<const std::byte> take(uint64_t count);
  template <typename T>
  T number() {
    return load_le<T>(take(sizeof(T)), 0);
  }
  std::string_view line();  // without the newline; at most kMaxNameBytes

  // Frames are hints for buffered readers, but Python enforces their bounds, so this reader does
  // too.
  void begin_frame(uint64_t bytes);
  void require_end_of_frame() const;

  size_t place() const { return next_; }  // offset of the next byte
  std::span<const std::byte> pickle() const { return pickle_; }

 private:
  std::span<const std::byte> pickle_;
  const std::string& what_;
  size_t next_ = 0;
  size_t frame_end_ = 0;
  size_t op_ = 0;  // offset of the current opcode
};

// None, a bool, a number, text or bytes; nullopt: the opcode is not a constant.
std::optional<Node> read_constant(Opcode code, PickleReader& reader);

}  // namespace fcm::formats
