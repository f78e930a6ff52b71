// Reads the kind of zip file that PyTorch writes: stored members, one after another without gaps,
// zip64 where needed. Everything else is refused, because two readers of the same file could
// disagree about its content. Private to this folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace fcm::formats {

constexpr uint64_t kMaxZipMembers = 1 << 17;

struct ZipMember {
  std::string_view name;  // without the top folder, for example "data/0"; points into the file
  std::span<const std::byte> bytes;
  uint32_t crc32 = 0;     // as recorded; not compared with the bytes
  bool deflated = false;  // TorchScript source text, which is skipped
};

class ZipDirectory {
 public:
  ZipDirectory(std::string_view top_folder, std::vector<ZipMember> members);

  std::string_view top_folder() const { return top_folder_; }
  const std::vector<ZipMember>& members() const { return members_; }  // in the order of the file
  const ZipMember* find(std::string_view name) const;                 // nullptr: none

 private:
  std::string_view top_folder_;
  std::vector<ZipMember> members_;
  std::unordered_map<std::string_view, size_t> places_;
};

bool begins_as_zip(std::span<const std::byte> bytes);

// `bytes`: the whole file. Throws Error(kCheckpoint), which names `file` and the violated rule:
//   - the end record is the last 22 bytes, the central directory ends right before it (or before
//     the zip64 records, if there are any), and numbers that are recorded twice agree;
//   - members tile the file from byte 0 to the central directory, in the directory's order;
//   - each is stored (TorchScript's source text, "code/X", may be deflated: it is not decompressed)
//     and not encrypted, and its local header, its central header and, if announced, its data
//     descriptor agree in name, flags, method, sizes and CRC;
//   - extra fields are zip64 or PyTorch's padding ("FB");
//   - names are plain, without "..", unique, and inside one top folder.
ZipDirectory parse_zip(std::span<const std::byte> bytes, const std::string& file);

// Throws Error(kCheckpoint) if the bytes of a stored member do not have the recorded CRC-32.
void check_crcs(const ZipDirectory& directory, const std::string& file);

}  // namespace fcm::formats
