// A packed file. The input is first read as the whole file. Then all but its first two bytes become
// the index of a file with a correct checksum, so that the checks after the checksum are reached
// too.
#include <algorithm>

#include "fcm/base/error.h"
#include "fcm/loader/sources/byte_text.h"
#include "fcm/loader/sources/checksum.h"
#include "fcm/loader/sources/packed_layout.h"
#include "fcm/loader/sources/sources.h"
#include "tests/fuzz/memory_file.h"

namespace {

using namespace fcm::loader;

void read_all(std::span<const uint8_t> bytes) {
  const fcm::fuzz::MemoryFile file(bytes);
  for (const Split split : {Split::kTrain, Split::kVal}) {
    try {
      const auto set = open_packed_file(file.path(), split);
      for (int64_t i = 0; i < std::min<int64_t>(set->size(), 100); ++i) {
        if (set->label(i) >= static_cast<int64_t>(set->classes().size())) std::abort();
        set->name(i);
        try {
          set->get(i, 1);
        } catch (const fcm::Error&) {
        }
      }
    } catch (const fcm::Error&) {
    }
  }
}

// A packed file of `images` bytes of images and this index, with a correct footer.
std::string with_foot(PackedKind kind, size_t images, std::string_view index) {
  const std::string head = packed_head(kind);
  const uint64_t begin = head.size() + images;
  ByteWriter sums;
  sums.number(checksum(head));
  sums.number(checksum(index));
  sums.number(begin);
  sums.number(static_cast<uint64_t>(index.size()));
  ByteWriter file;
  file.raw(head);
  file.raw(std::string(images, '\1'));
  file.raw(index);
  file.number(begin);
  file.number(static_cast<uint64_t>(index.size()));
  file.number(checksum(sums.bytes()));
  file.raw(kPackedMagic);
  return file.bytes();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  read_all({data, size});
  if (size < 2) return 0;
  const auto kind = data[0] % 2 == 0 ? PackedKind::kJpeg : PackedKind::kRaw;
  const std::string file =
      with_foot(kind, data[1], {reinterpret_cast<const char*>(data) + 2, size - 2});
  read_all({reinterpret_cast<const uint8_t*>(file.data()), file.size()});
  return 0;
}
