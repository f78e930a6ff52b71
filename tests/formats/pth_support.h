// Helpers of the .pth tests: stored files, handmade archives and pickles.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fcm/formats/crc32.h"
#include "fcm/formats/pth.h"
#include "tests/formats/support.h"

namespace fcm::formats {

inline fs::path stored_files() { return fs::path(FCM_SOURCE_DIR) / "../shared/fixtures"; }

inline std::vector<std::byte> bytes_of_file(const fs::path& path) {
  return bytes_of_text(read_file(path, ExitCode::kCheckpoint));
}

// The bytes of a number in little-endian order.
template <typename T>
std::string le(T value) {
  std::string text(sizeof(T), '\0');
  std::memcpy(text.data(), &value, sizeof(T));
  return text;
}

// A member of an archive. Its local and central headers describe it correctly, except for the
// optional fields, each of which overrides a field of one header.
struct Member {
  Member(std::string its_name, std::string its_data)
      : name(std::move(its_name)), data(std::move(its_data)) {}

  std::string name, data;
  uint16_t flags = 0, method = 0;
  std::string extra, local_extra, comment, descriptor;
  std::optional<std::string> local_name;
  std::optional<uint16_t> local_flags, local_method;
  std::optional<uint32_t> crc, size, packed, local_crc, local_size, local_packed, offset;
};

// What surrounds the members of an archive. Optional fields override correct values of the end
// record.
struct ArchiveEnd {
  std::string before;     // prefixed to the file without adjusting offsets
  std::string gap;        // between members and central directory
  std::string directory;  // appended to the central directory
  std::string zip64;      // before the end record
  std::string after;      // appended to the file
  std::optional<uint16_t> members, members_here, disk, comment;
  std::optional<uint32_t> size, offset;
};

inline std::string archive_of(const std::vector<Member>& members, const ArchiveEnd& end = {}) {
  std::string body, directory;
  for (const Member& member : members) {
    const auto bytes = std::as_bytes(std::span(member.data));
    const uint32_t crc = member.crc.value_or(crc32(bytes));
    const auto size = static_cast<uint32_t>(member.data.size());
    const auto offset = member.offset.value_or(static_cast<uint32_t>(body.size()));
    const std::string local_name = member.local_name.value_or(member.name);
    body += "PK\x03\x04" + le<uint16_t>(20) + le(member.local_flags.value_or(member.flags)) +
            le(member.local_method.value_or(member.method)) + le<uint32_t>(0) +
            le(member.local_crc.value_or(crc)) + le(member.local_packed.value_or(size)) +
            le(member.local_size.value_or(size)) + le(static_cast<uint16_t>(local_name.size())) +
            le(static_cast<uint16_t>(member.local_extra.size())) + local_name + member.local_extra +
            member.data + member.descriptor;
    directory += "PK\x01\x02" + le<uint16_t>(20) + le<uint16_t>(20) + le(member.flags) +
                 le(member.method) + le<uint32_t>(0) + le(crc) + le(member.packed.value_or(size)) +
                 le(member.size.value_or(size)) + le(static_cast<uint16_t>(member.name.size())) +
                 le(static_cast<uint16_t>(member.extra.size())) +
                 le(static_cast<uint16_t>(member.comment.size())) + le<uint16_t>(0) +
                 le<uint16_t>(0) + le<uint32_t>(0) + le(offset) + member.name + member.extra +
                 member.comment;
  }
  body += end.gap;
  directory += end.directory;
  const auto count = end.members.value_or(static_cast<uint16_t>(members.size()));
  return end.before + body + directory + end.zip64 + "PK\x05\x06" + le(end.disk.value_or(0)) +
         le<uint16_t>(0) + le(end.members_here.value_or(count)) + le(count) +
         le(end.size.value_or(static_cast<uint32_t>(directory.size()))) +
         le(end.offset.value_or(static_cast<uint32_t>(body.size()))) + le(end.comment.value_or(0)) +
         end.after;
}

inline std::string text_op(const std::string& text) {
  return "X" + le(static_cast<uint32_t>(text.size())) + text;
}

inline std::string global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}

inline std::string integer(int64_t value) { return std::string("\x8a\x08") + le(value); }

inline std::string integers(const std::vector<int64_t>& values) {
  std::string text = "(";
  for (const int64_t value : values) text += integer(value);
  return text + "t";
}

inline std::string storage(const std::string& type, const std::string& key, int64_t elements) {
  return "(" + text_op("storage") + global("torch", type) + text_op(key) + text_op("cpu") +
         integer(elements) + "tQ";
}

inline std::string empty_hooks() { return global("collections", "OrderedDict") + ")R"; }

inline std::string tensor_of(const std::string& storage, int64_t offset,
                             const std::vector<int64_t>& sizes,
                             const std::vector<int64_t>& strides) {
  return global("torch._utils", "_rebuild_tensor_v2") + "(" + storage + integer(offset) +
         integers(sizes) + integers(strides) + "\x89" + empty_hooks() + "tR";
}

// Pickle code of a storage of 12 floats, and of a tensor of all its elements.
inline std::string good_storage() { return storage("FloatStorage", "0", 12); }
inline std::string good_tensor() { return tensor_of(good_storage(), 0, {3, 4}, {4, 1}); }

inline std::string repeat(const std::string& text, size_t count) {
  std::string result;
  for (size_t i = 0; i < count; ++i) result += text;
  return result;
}

// A .pth file whose root is the value that the opcodes in `body` leave on the stack. Its storage
// "0" has 48 bytes.
inline std::string pth_of(const std::string& body, const std::string& head = "\x80\x02") {
  return archive_of({{"a/data.pkl", head + body + "."}, {"a/data/0", std::string(48, '\x3c')}});
}

inline std::string reason_of(const std::string& file) {
  return error_of([&] { parse_pth(bytes_of_text(file), "attack"); });
}

struct PthAttack {
  std::string name;
  std::string file;
  std::string rule;  // a part of the expected message
};

inline void expect_refused(const std::vector<PthAttack>& attacks) {
  for (const PthAttack& attack : attacks) {
    const std::string message = reason_of(attack.file);
    EXPECT_NE(message.find(attack.rule), std::string::npos) << attack.name << ": " << message;
    EXPECT_EQ(message.substr(0, 7), "attack:") << attack.name << ": " << message;
    EXPECT_LT(message.size(), 500U) << attack.name;
  }
}

}  // namespace fcm::formats
