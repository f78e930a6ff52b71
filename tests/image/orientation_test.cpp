// Tests EXIF orientation with handmade headers.
#include "fcm/image/orientation.h"

#include "tests/image/codec_support.h"

namespace fcm::image {
namespace {

using Raw = std::vector<uint8_t>;

void put(Raw& bytes, uint32_t value, int size, bool big) {
  for (int i = 0; i < size; ++i) {
    bytes.push_back(static_cast<uint8_t>(value >> 8 * (big ? size - 1 - i : i)));
  }
}

// EXIF data with another entry before the orientation entry.
Raw exif(uint32_t orientation, bool big, uint32_t type = 3) {
  Raw tiff;
  tiff.insert(tiff.end(), 2, big ? 'M' : 'I');
  put(tiff, 42, 2, big);
  put(tiff, 8, 4, big);
  put(tiff, 2, 2, big);
  for (const auto& [tag, value] : {std::pair{0x0100U, 77U}, {0x0112U, orientation}}) {
    put(tiff, tag, 2, big);
    put(tiff, type, 2, big);
    put(tiff, 1, 4, big);
    put(tiff, value, type == 4 ? 4 : 2, big);
    if (type != 4) put(tiff, 0, 2, big);
  }
  put(tiff, 0, 4, big);
  return tiff;
}

// A JPEG whose EXIF segment comes after the JFIF header, a comment and fill bytes.
Raw jpeg_with(const Raw& tiff, const Raw& image) {
  Raw bytes(image.begin(), image.begin() + 2);
  const auto segment = [&](uint8_t marker, const Raw& content) {
    bytes.insert(bytes.end(), {0xFF, marker});
    put(bytes, static_cast<uint32_t>(content.size()) + 2, 2, true);
    bytes.insert(bytes.end(), content.begin(), content.end());
  };
  segment(0xFE, {'h', 'i'});
  segment(0xE1, {'h', 't', 't', 'p', ':'});
  bytes.push_back(0xFF);
  Raw content{'E', 'x', 'i', 'f', 0, 0};
  content.insert(content.end(), tiff.begin(), tiff.end());
  segment(0xE1, content);
  bytes.insert(bytes.end(), image.begin() + 2, image.end());
  return bytes;
}

TEST(Orientation, IsReadInEitherOrderOfBytes) {
  const Raw plain = test::encode_jpeg(test::scene(9, 12));
  EXPECT_EQ(exif_orientation(plain), 1);
  for (uint32_t orientation = 1; orientation <= 8; ++orientation) {
    for (const bool big : {false, true}) {
      for (const uint32_t type : {3U, 4U}) {
        const Raw bytes = jpeg_with(exif(orientation, big, type), plain);
        EXPECT_EQ(exif_orientation(bytes), static_cast<int>(orientation)) << big << type;
        EXPECT_EQ(decode(bytes, 3).rows, 9);  // decode() does not rotate
      }
    }
  }
}

TEST(Orientation, WhatIsDamagedIsUpright) {
  const Raw plain = test::encode_jpeg(test::scene(9, 12));
  EXPECT_EQ(exif_orientation(jpeg_with(exif(0, true), plain)), 1);
  EXPECT_EQ(exif_orientation(jpeg_with(exif(9, true), plain)), 1);
  EXPECT_EQ(exif_orientation(jpeg_with(exif(6, true, 2), plain)), 1);
  EXPECT_EQ(exif_orientation(jpeg_with({}, plain)), 1);
  EXPECT_EQ(exif_orientation(jpeg_with({'M', 'M'}, plain)), 1);
  EXPECT_EQ(exif_orientation({}), 1);
  EXPECT_EQ(exif_orientation(encode_png(test::scene(9, 12))), 1);
  Raw far = exif(6, false);
  far[7] = 0xFF;  // the offset of the directory is past the end
  EXPECT_EQ(exif_orientation(jpeg_with(far, plain)), 1);
}

// The buffers have exactly the size of the data, so that sanitizers detect reads past the end.
TEST(Orientation, CutAndAlteredHeaders) {
  const Raw whole = jpeg_with(exif(6, false), test::encode_jpeg(test::scene(9, 12)));
  size_t read = 0;
  for (size_t size = 0; size < 120; ++size) {
    const Raw cut(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
    const int got = exif_orientation(cut);
    ASSERT_TRUE(got == 1 || got == 6);
    read += got == 6 ? 1 : 0;
  }
  EXPECT_GT(read, 10u);
  for (size_t at = 0; at < 90; ++at) {
    for (int value = 0; value < 256; ++value) {
      Raw altered(whole.begin(), whole.begin() + 120);
      altered[at] = static_cast<uint8_t>(value);
      const int got = exif_orientation(altered);
      ASSERT_TRUE(got >= 1 && got <= 8);
    }
  }
}

TEST(Orientation, ImagesAreTurnedUpright) {
  const Image image{2, 3, 1, {1, 2, 3, 4, 5, 6}};
  struct Known {
    int orientation;
    int64_t rows;
    Raw pixels;
  };
  const Known known[] = {{1, 2, {1, 2, 3, 4, 5, 6}}, {2, 2, {3, 2, 1, 6, 5, 4}},
                         {3, 2, {6, 5, 4, 3, 2, 1}}, {4, 2, {4, 5, 6, 1, 2, 3}},
                         {5, 3, {1, 4, 2, 5, 3, 6}}, {6, 3, {4, 1, 5, 2, 6, 3}},
                         {7, 3, {6, 3, 5, 2, 4, 1}}, {8, 3, {3, 6, 2, 5, 1, 4}},
                         {0, 2, {1, 2, 3, 4, 5, 6}}, {9, 2, {1, 2, 3, 4, 5, 6}}};
  for (const auto& [orientation, rows, pixels] : known) {
    const Image oriented = upright(image, orientation);
    EXPECT_EQ(oriented.rows, rows) << orientation;
    EXPECT_EQ(oriented.rows * oriented.cols, 6) << orientation;
    EXPECT_EQ(oriented.pixels, pixels) << orientation;
  }
  const Image colours = upright(test::pattern(4, 5, 3), 6);
  EXPECT_EQ(colours.pixels[2], test::pattern(4, 5, 3).pixels[3 * 5 * 3 + 2]);
}

}  // namespace
}  // namespace fcm::image
