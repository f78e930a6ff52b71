#include "fcm/loader/sources/packed_layout.h"

#include "fcm/base/counted.h"
#include "fcm/base/error.h"
#include "fcm/loader/sources/byte_text.h"
#include "fcm/loader/sources/checksum.h"

namespace fcm::loader {
namespace {

constexpr uint64_t kMostIndex = uint64_t{1} << 32;

uint64_t checksum_of(std::string_view head, std::string_view index, uint64_t begin) {
  ByteWriter parts;
  parts.number(checksum(head));
  parts.number(checksum(index));
  parts.number(begin);
  parts.number(static_cast<uint64_t>(index.size()));
  return checksum(parts.bytes());
}

void write_splits(ByteWriter& out, const std::vector<PackedIndex>& splits) {
  out.number(static_cast<uint32_t>(splits.size()));
  for (const PackedIndex& split : splits) {
    out.number(static_cast<uint32_t>(split.split));
    out.number(static_cast<uint64_t>(split.entries.size()));
    out.number(static_cast<uint32_t>(split.classes.size()));
    for (const std::string& name : split.classes) out.text(name);
  }
}

// Reads the splits without their images; returns each with its number of images.
std::vector<std::pair<PackedIndex, uint64_t>> read_splits(ByteReader& in) {
  const auto count = in.number<uint32_t>();
  if (count < 1 || count > 2) fail(ExitCode::kData, "{} splits, expected 1 or 2", count);
  std::vector<std::pair<PackedIndex, uint64_t>> splits(count);
  for (uint32_t place = 1; auto& [split, images] : splits) {
    const auto which = in.number<uint32_t>();
    // A single split may be any PackedSplit; of two splits, the first is kTrain and the second
    // kVal.
    if (count == 1 ? which > 2 : which != place++) fail(ExitCode::kData, "split number {}", which);
    split.split = static_cast<PackedSplit>(which);
    images = in.number<uint64_t>();
    const auto classes = in.number<uint32_t>();
    for (uint32_t i = 0; i < classes; ++i) split.classes.emplace_back(in.text());
  }
  return splits;
}

// Reads the positions of a split's images. Returns the sizes of their names, which come after all
// splits.
std::vector<uint32_t> read_entries(ByteReader& in, uint64_t count, uint64_t& begin,
                                   PackedIndex& split) {
  constexpr uint64_t kEntry = 20;
  if (count == 0 || count > in.left() / kEntry) fail(ExitCode::kData, "{} images", count);
  std::vector<uint32_t> name_sizes;
  split.entries.reserve(count);
  name_sizes.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    PackedIndex::Entry entry{begin, in.number<uint64_t>(), in.number<uint32_t>(),
                             in.number<int32_t>()};
    name_sizes.push_back(in.number<uint32_t>());
    if (entry.label < -1 || entry.label >= static_cast<int64_t>(split.classes.size())) {
      fail(ExitCode::kData, "label {} of {}", entry.label,
           counted(std::ssize(split.classes), "class", "classes"));
    }
    begin += entry.size;  // no overflow: below 2^32 images of below 2^32 bytes
    split.entries.push_back(entry);
  }
  return name_sizes;
}

std::vector<PackedIndex> read_splits(std::string_view index, uint64_t end) {
  ByteReader in(index);
  auto headings = read_splits(in);
  uint64_t begin = kPackedHead;
  std::vector<std::vector<uint32_t>> name_sizes;
  for (auto& [split, images] : headings) {
    name_sizes.push_back(read_entries(in, images, begin, split));
  }
  if (begin != end) {
    fail(ExitCode::kData, "the images end at byte {}, but the index begins at {}", begin, end);
  }
  std::vector<PackedIndex> splits;
  for (size_t i = 0; i < headings.size(); ++i) {
    for (const uint32_t size : name_sizes[i]) headings[i].first.names.add(in.raw(size));
    headings[i].first.names.shrink();
    splits.push_back(std::move(headings[i].first));
  }
  in.need_end();
  return splits;
}

}  // namespace

std::string packed_head(PackedKind kind) {
  ByteWriter out;
  out.raw(kPackedMagic);
  out.number(kPackedVersion);
  out.number(static_cast<uint32_t>(kind));
  return out.bytes();
}

std::string packed_tail(std::string_view head, const std::vector<PackedIndex>& splits,
                        uint64_t begin) {
  ByteWriter out;
  write_splits(out, splits);
  for (const PackedIndex& split : splits) {
    for (size_t i = 0; i < split.entries.size(); ++i) {
      const PackedIndex::Entry& entry = split.entries[i];
      out.number(entry.checksum);
      out.number(entry.size);
      out.number(entry.label);
      out.number(static_cast<uint32_t>(split.names.at(static_cast<int64_t>(i)).size()));
    }
  }
  for (const PackedIndex& split : splits) out.raw(split.names.joined());
  const uint64_t size = out.bytes().size();
  if (size > kMostIndex) {
    fail(ExitCode::kData,
         "the index would have {} bytes, more than the allowed {}: pack "
         "fewer images",
         size, kMostIndex);
  }
  const uint64_t sum = checksum_of(head, out.bytes(), begin);
  for (const uint64_t number : {begin, size, sum}) out.number(number);
  out.raw(kPackedMagic);
  return out.bytes();
}

PackedKind parse_packed_head(std::string_view head) {
  ByteReader in(head);
  if (in.raw(kPackedMagic.size()) != kPackedMagic) fail(ExitCode::kData, "it is not a packed file");
  const auto version = in.number<uint32_t>();
  if (version != kPackedVersion) {
    fail(ExitCode::kData, "its version is {}, but this program reads version {}", version,
         kPackedVersion);
  }
  const auto kind = in.number<uint32_t>();
  if (kind != 1 && kind != 2) fail(ExitCode::kData, "its images are of unknown kind {}", kind);
  return static_cast<PackedKind>(kind);
}

PackedFoot parse_packed_foot(std::string_view foot, uint64_t file_size) {
  ByteReader in(foot);
  const PackedFoot numbers{in.number<uint64_t>(), in.number<uint64_t>(), in.number<uint64_t>()};
  if (in.raw(kPackedMagic.size()) != kPackedMagic) {
    fail(ExitCode::kData, "it is truncated or was not completely written");
  }
  if (file_size < kPackedHead + kPackedFoot || numbers.index_size > kMostIndex ||
      numbers.index_begin < kPackedHead || numbers.index_begin > file_size ||
      numbers.index_size != file_size - kPackedFoot - numbers.index_begin) {
    fail(ExitCode::kData, "its index of {} bytes at byte {} does not fit into {} bytes",
         numbers.index_size, numbers.index_begin, file_size);
  }
  return numbers;
}

std::vector<PackedIndex> parse_packed_index(std::string_view head, std::string_view index,
                                            const PackedFoot& foot) {
  if (checksum_of(head, index, foot.index_begin) != foot.checksum) {
    fail(ExitCode::kData, "the checksum of its head and index is wrong");
  }
  try {
    return read_splits(index, foot.index_begin);
  } catch (const Error& error) {
    fail(ExitCode::kData, "its index is inconsistent: {}", error.what());
  }
}

}  // namespace fcm::loader
