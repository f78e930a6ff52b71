// IDX images and labels, plain or gzipped. Input: a byte of flags (bit 0: the images are gzipped;
// bit 1: the labels are), two bytes with the size of the image file, the image file, the label
// file.
#include <algorithm>

#include "fcm/base/error.h"
#include "fcm/loader/sources/sources.h"
#include "tests/fuzz/memory_file.h"
#include "tests/support/scratch.h"

namespace {

namespace fs = std::filesystem;

// Readers find the labels by the file name of the images, so links with matching names point to the
// files.
fs::path link_to(const fs::path& file, const fs::path& folder, const std::string& name,
                 bool gzipped) {
  fs::path link = folder / (name + (gzipped ? ".gz" : ""));
  fs::create_symlink(file, link);
  return link;
}

void read_all(const fs::path& images) {
  try {
    const auto set = fcm::loader::open_idx_file(images, {});
    for (int64_t i = 0; i < std::min<int64_t>(set->size(), 100); ++i) set->get(i, 3);
  } catch (const fcm::Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 3) return 0;
  static const fcm::test::Scratch scratch;
  const std::span<const uint8_t> rest(data + 3, size - 3);
  const size_t cut = std::min<size_t>(data[1] | data[2] << 8, rest.size());
  const fcm::fuzz::MemoryFile images(rest.first(cut)), labels(rest.subspan(cut));
  const fs::path first =
      link_to(images.path(), scratch.path(), "x-images-idx3-ubyte", (data[0] & 1) != 0);
  const fs::path second =
      link_to(labels.path(), scratch.path(), "x-labels-idx1-ubyte", (data[0] & 2) != 0);
  read_all(first);
  fs::remove(first);
  fs::remove(second);
  return 0;
}
