// Decodes files truncated at every byte. Under a sanitizer, reads past the cut are detected.
#include "tests/image/codec_support.h"
#include "tests/image/section_support.h"

namespace fcm::image {
namespace {

// Decodes every prefix, in a buffer of exactly its size. Returns the number of refused prefixes.
size_t refused_beginnings(const std::vector<uint8_t>& whole) {
  size_t refused = 0;
  for (size_t size = 0; size < whole.size(); ++size) {
    const std::vector<uint8_t> cut(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
    try {
      decode(cut, 3);
      ADD_FAILURE() << "the first " << size << " bytes of " << whole.size() << " were decoded";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kData) << error.what();
      ++refused;
    }
    try {  // may succeed, because data below the box is not read
      test::section_of(cut, {2, 3, 12, 10});
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kData) << error.what();
    }
  }
  return refused;
}

void expect_every_beginning_refused(const std::vector<uint8_t>& whole) {
  ASSERT_EQ(decode(whole, 3).rows, 40);
  EXPECT_EQ(refused_beginnings(whole), whole.size());
  auto longer = whole;  // negative control: the whole file decodes, also with a further byte
  longer.push_back(0);
  EXPECT_EQ(decode(longer, 3).pixels, decode(whole, 3).pixels);
}

TEST(Truncation, JpegAtEveryByte) {
  expect_every_beginning_refused(test::encode_jpeg(test::scene(40, 50)));
}

TEST(Truncation, PngAtEveryByte) {
  expect_every_beginning_refused(encode_png(test::scene(40, 50)));
}

TEST(Truncation, LossyWebpAtEveryByte) {
  expect_every_beginning_refused(test::encode_webp(test::scene(40, 50)));
}

TEST(Truncation, LosslessWebpAtEveryByte) {
  expect_every_beginning_refused(test::encode_webp(test::scene(40, 50), {.lossless = true}));
}

}  // namespace
}  // namespace fcm::image
