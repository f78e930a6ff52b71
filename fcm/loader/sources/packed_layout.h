// Layout of a packed file, all numbers little-endian:
//
//   head       8 bytes "FCMPACK\n", version (u32), kind of the images (u32)
//   images     one after the other, split by split; each is a JPEG, or pixels (rows x cols x 3
//              bytes) followed by rows and cols (u32 each)
//   index      number of splits (u32); for each split: PackedSplit (u32), number of images (u64),
//              number of classes (u32), class names (u32 size, then bytes); then for each image:
//              checksum (u64), size (u32), label (i32), size of its name (u32); then the names
//   foot       byte at which the index begins and its size (u64 each), checksum of head, index and
//              these two numbers (u64), 8 bytes "FCMPACK\n"
//
// Checksums are XXH3-64. A file truncated at any byte lacks its foot.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "fcm/loader/sources/joined_names.h"

namespace fcm::loader {

inline constexpr std::string_view kPackedMagic = "FCMPACK\n";
inline constexpr uint32_t kPackedVersion = 1;
inline constexpr size_t kPackedHead = 16, kPackedFoot = 32;

enum class PackedKind : uint32_t { kJpeg = 1, kRaw = 2 };
enum class PackedSplit : uint32_t { kBoth = 0, kTrain = 1, kVal = 2 };

// One split: positions, checksums, labels and names of its images, and its class names.
struct PackedIndex {
  struct Entry {
    uint64_t begin;
    uint64_t checksum;
    uint32_t size;
    int32_t label;
  };
  PackedSplit split = PackedSplit::kBoth;
  std::vector<Entry> entries;
  JoinedNames names;
  std::vector<std::string> classes;
};

std::string packed_head(PackedKind kind);
// Index and foot. `begin`: the byte at which the images end and the index begins.
std::string packed_tail(std::string_view head, const std::vector<PackedIndex>& splits,
                        uint64_t begin);

struct PackedFoot {
  uint64_t index_begin;
  uint64_t index_size;
  uint64_t checksum;
};
// Throws Error(kData) if the index would not end where the foot begins.
PackedFoot parse_packed_foot(std::string_view foot, uint64_t file_size);

// Throws Error(kData) if it is not the head of a packed file, or of another version or kind.
PackedKind parse_packed_head(std::string_view head);

// Throws Error(kData) if head and index do not have the foot's checksum, or if the images do not
// exactly fill the bytes between them.
std::vector<PackedIndex> parse_packed_index(std::string_view head, std::string_view index,
                                            const PackedFoot& foot);

}  // namespace fcm::loader
