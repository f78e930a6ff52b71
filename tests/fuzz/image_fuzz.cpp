// A JPEG or PNG file, decoded whole and in part. Input: four bytes that choose the part, and the
// file.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>

#include "fcm/base/error.h"
#include "fcm/image/image.h"

namespace {

using namespace fcm::image;

constexpr DecodeLimits kLimits{1 << 20};  // pixels; larger images only make the fuzzer slower

Box part(const uint8_t* four, int64_t rows, int64_t cols) {
  const auto share = [](int64_t size, uint8_t of_256) { return size * of_256 / 256; };
  const int64_t top = share(rows, four[0]), left = share(cols, four[1]);
  return {top, left, 1 + share(rows - top - 1, four[2]), 1 + share(cols - left - 1, four[3])};
}

// Aborts if the decoded part differs from the same pixels of the whole image.
void compare(const Image& whole, const Box& box, const Section& section) {
  const auto bytes = static_cast<size_t>(box.cols * whole.channels);
  for (int64_t row = 0; row < box.rows; ++row) {
    const auto* expected =
        whole.pixels.data() + ((box.top + row) * whole.cols + box.left) * whole.channels;
    const auto* got =
        section.image.pixels.data() +
        ((section.box.top + row) * section.image.cols + section.box.left) * whole.channels;
    if (std::memcmp(expected, got, bytes) != 0) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 4) return 0;
  const std::span<const uint8_t> file(data + 4, size - 4);
  Section section;
  Box box;
  const auto choose = [&](int64_t rows, int64_t cols) { return box = part(data, rows, cols); };
  bool has_section = false;
  try {
    section = decode_section(file, 3, choose, kLimits);
    has_section = true;
  } catch (const fcm::Error&) {
  }
  try {
    const Image whole = decode(file, 3, kLimits);
    if (!has_section) std::abort();  // a part must decode if the whole does
    compare(whole, box, section);
  } catch (const fcm::Error&) {
  }
  return 0;
}
