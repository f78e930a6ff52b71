#include "fcm/formats/zip_directory.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/formats/crc32.h"
#include "fcm/formats/little_endian.h"
#include "fcm/formats/safetensors_header.h"
#include "fcm/formats/zip_records.h"

namespace fcm::formats {
namespace {

using zip::kSentinel16;
using zip::kSentinel32;

template <typename... Args>
[[noreturn]] void refuse(const std::string& file, fmt::format_string<Args...> format,
                         Args&&... args) {
  fail(ExitCode::kCheckpoint, "{}: zip: {}", file,
       fmt::format(format, std::forward<Args>(args)...));
}

struct DirectoryPlace {
  uint64_t begin = 0;
  uint64_t end = 0;
  uint64_t members = 0;
};

// A 16 or 32-bit field must repeat the zip64 value or hold the sentinel that refers to that value.
void check_twin(uint64_t narrow, uint64_t sentinel, uint64_t wide, const std::string& file) {
  if (narrow != wide && narrow != sentinel) {
    refuse(file, "end record and zip64 end record disagree ({} and {})", narrow, wide);
  }
}

// The zip64 records, if any, come right before the end record.
std::optional<DirectoryPlace> zip64_place(std::span<const std::byte> bytes, uint64_t end_record,
                                          const std::string& file) {
  if (end_record < zip::kZip64LocatorBytes + zip::kZip64EndBytes) return std::nullopt;
  const uint64_t locator = end_record - zip::kZip64LocatorBytes;
  if (load_le<uint32_t>(bytes, locator) != zip::kZip64Locator) return std::nullopt;
  const uint64_t end64 = locator - zip::kZip64EndBytes;
  if (load_le<uint32_t>(bytes, locator + 4) != 0 || load_le<uint32_t>(bytes, locator + 16) != 1) {
    refuse(file, "archives of several disks are not read");
  }
  if (load_le<uint64_t>(bytes, locator + 8) != end64 ||
      load_le<uint32_t>(bytes, end64) != zip::kZip64End) {
    refuse(file, "the zip64 end record is not where the locator and its size put it");
  }
  if (load_le<uint64_t>(bytes, end64 + 4) != zip::kZip64EndBytes - 12) {
    refuse(file, "the zip64 end record has extensions");
  }
  const uint64_t members = load_le<uint64_t>(bytes, end64 + 32);
  if (load_le<uint64_t>(bytes, end64 + 16) != 0 ||  // both disk numbers
      load_le<uint64_t>(bytes, end64 + 24) != members) {
    refuse(file, "archives of several disks are not read");
  }
  const uint64_t size = load_le<uint64_t>(bytes, end64 + 40);
  const uint64_t begin = load_le<uint64_t>(bytes, end64 + 48);
  check_twin(load_le<uint16_t>(bytes, end_record + 10), kSentinel16, members, file);
  check_twin(load_le<uint32_t>(bytes, end_record + 12), kSentinel32, size, file);
  check_twin(load_le<uint32_t>(bytes, end_record + 16), kSentinel32, begin, file);
  if (begin > end64 || size != end64 - begin) {
    refuse(file, "the central directory ({} bytes at {}) does not end at the end record", size,
           begin);
  }
  return DirectoryPlace{begin, end64, members};
}

DirectoryPlace find_directory(std::span<const std::byte> bytes, const std::string& file) {
  if (bytes.size() < zip::kEndBytes) {
    refuse(file, "{} bytes are too few for an archive", bytes.size());
  }
  const uint64_t end_record = bytes.size() - zip::kEndBytes;
  if (load_le<uint32_t>(bytes, end_record) != zip::kEnd ||
      load_le<uint16_t>(bytes, end_record + 20) != 0) {
    refuse(file,
           "no end record in the last {} bytes: the file is truncated, or has a comment or bytes "
           "appended",
           zip::kEndBytes);
  }
  const uint64_t members = load_le<uint16_t>(bytes, end_record + 10);
  if (load_le<uint32_t>(bytes, end_record + 4) != 0 ||  // both disk numbers
      load_le<uint16_t>(bytes, end_record + 8) != members) {
    refuse(file, "archives of several disks are not read");
  }
  if (const auto place = zip64_place(bytes, end_record, file)) return *place;
  const uint64_t size = load_le<uint32_t>(bytes, end_record + 12);
  const uint64_t begin = load_le<uint32_t>(bytes, end_record + 16);
  if (begin > end_record || size != end_record - begin) {
    refuse(file, "the central directory ({} bytes at {}) does not end at the end record", size,
           begin);
  }
  return {begin, end_record, members};
}

// The name must be a plain path that every reader and file system interprets in the same way.
void check_name(std::string_view name, const std::string& file) {
  const auto bad = [](unsigned char byte) { return byte < 0x20 || byte == 0x7f || byte == '\\'; };
  if (std::any_of(name.begin(), name.end(), bad)) {
    refuse(file, "the member name {} has a control character or a backslash", shown(name));
  }
  for (size_t begin = 0; begin <= name.size();) {
    const size_t end = std::min(name.find('/', begin), name.size());
    const std::string_view part = name.substr(begin, end - begin);
    if (part.empty() || part == "." || part == "..") {
      refuse(file, "the member name {} is absolute, a folder, or has . or .. in it", shown(name));
    }
    begin = end + 1;
  }
}

// Reads members in order. Each must begin where the previous one ends.
class MemberReader {
 public:
  MemberReader(std::span<const std::byte> bytes, const DirectoryPlace& place,
               const std::string& file)
      : bytes_(bytes), place_(place), file_(file), cursor_(place.begin) {}

  ZipDirectory read() {
    if (place_.members > kMaxZipMembers ||
        place_.members > (place_.end - place_.begin) / zip::kCentralBytes) {
      refuse(file_, "{} members are announced, more than {} or more than fit in the directory",
             place_.members, kMaxZipMembers);
    }
    std::vector<ZipMember> members;
    members.reserve(place_.members);
    for (uint64_t i = 0; i < place_.members; ++i) members.push_back(next_member());
    if (cursor_ != place_.end)
      refuse(file_, "the central directory has bytes after its last member");
    if (next_ != place_.begin) {
      refuse(file_, "bytes {} to {} belong to no member", next_, place_.begin);
    }
    ZipDirectory directory(top_folder_, std::move(members));
    check_unique(directory);
    return directory;
  }

 private:
  ZipMember next_member() {
    const zip::CentralHeader header = zip::read_central(bytes_.first(place_.end), cursor_, file_);
    cursor_ = header.end;
    if (header.offset != next_) {
      refuse(file_, "member {} begins at byte {}, which {} the one before it (ends at {})",
             shown(header.name), header.offset,
             header.offset < next_ ? "overlaps" : "leaves a gap after", next_);
    }
    check_name(header.name, file_);
    const zip::LocalSpan span = zip::read_local(bytes_.first(place_.begin), header, file_);
    next_ = span.end;
    return {inside_top_folder(header.name), bytes_.subspan(span.data, header.packed), header.crc32,
            header.method == zip::kDeflated};
  }

  std::string_view inside_top_folder(std::string_view name) {
    const size_t slash = name.find('/');
    if (slash == std::string_view::npos) {
      refuse(file_, "member {} is not inside a top folder", shown(name));
    }
    if (top_folder_.empty()) top_folder_ = name.substr(0, slash);
    if (name.substr(0, slash) != top_folder_) {
      refuse(file_, "member {} is not inside the top folder {}", shown(name), shown(top_folder_));
    }
    return name.substr(slash + 1);
  }

  void check_unique(const ZipDirectory& directory) const {
    for (const ZipMember& member : directory.members()) {
      if (directory.find(member.name) != &member) {
        refuse(file_, "two members are named {}", shown(member.name));
      }
    }
  }

  std::span<const std::byte> bytes_;
  DirectoryPlace place_;
  const std::string& file_;
  uint64_t cursor_;    // in the central directory
  uint64_t next_ = 0;  // where the next member must begin
  std::string_view top_folder_;
};

}  // namespace

ZipDirectory::ZipDirectory(std::string_view top_folder, std::vector<ZipMember> members)
    : top_folder_(top_folder), members_(std::move(members)) {
  places_.reserve(members_.size());
  for (size_t i = 0; i < members_.size(); ++i) places_.emplace(members_[i].name, i);
}

const ZipMember* ZipDirectory::find(std::string_view name) const {
  const auto found = places_.find(name);
  return found == places_.end() ? nullptr : &members_[found->second];
}

bool begins_as_zip(std::span<const std::byte> bytes) {
  return bytes.size() >= 4 && load_le<uint32_t>(bytes, 0) == zip::kLocal;
}

ZipDirectory parse_zip(std::span<const std::byte> bytes, const std::string& file) {
  if (!begins_as_zip(bytes)) refuse(file, "the file does not begin with a member");
  return MemberReader(bytes, find_directory(bytes, file), file).read();
}

void check_crcs(const ZipDirectory& directory, const std::string& file) {
  for (const ZipMember& member : directory.members()) {
    if (member.deflated) continue;
    if (const uint32_t found = crc32(member.bytes); found != member.crc32) {
      refuse(file, "member {} is damaged: its CRC-32 is {:08x}, the archive says {:08x}",
             shown(member.name), found, member.crc32);
    }
  }
}

}  // namespace fcm::formats
