// Tests reading TIFF files that libtiff writes, of every supported kind and of unsupported kinds.
#include <tiffio.h>

#include <functional>

#include "fcm/base/random.h"
#include "tests/image/codec_support.h"
#include "tests/support/scratch.h"

namespace fcm::image {
namespace {

using test::data_error;
using test::scene;
using TiffBytes = std::vector<uint8_t>;

struct TiffForm {
  uint32_t cols = 0, rows = 0;
  int bits = 8, samples = 3, photometric = PHOTOMETRIC_RGB;
  int compression = COMPRESSION_NONE, planar = PLANARCONFIG_CONTIG, orientation = 1;
  int rows_per_strip = 5;
  int tile = 0;            // side in pixels; 0: strips
  const char* mode = "w";  // "wb": big-endian, "w8": 64-bit offsets
};

// Writes a TIFF. `more` sets further fields. Pixels are in file order, with rows padded to bytes.
TiffBytes tiff(const TiffForm& form, const TiffBytes& pixels,
               const std::function<void(TIFF*)>& more = {}) {
  const test::Scratch folder;
  const auto path = folder / "x.tif";
  TIFF* const file = TIFFOpen(path.c_str(), form.mode);
  TIFFSetField(file, TIFFTAG_IMAGEWIDTH, form.cols);
  TIFFSetField(file, TIFFTAG_IMAGELENGTH, form.rows);
  TIFFSetField(file, TIFFTAG_BITSPERSAMPLE, form.bits);
  TIFFSetField(file, TIFFTAG_SAMPLESPERPIXEL, form.samples);
  TIFFSetField(file, TIFFTAG_COMPRESSION, form.compression);
  TIFFSetField(file, TIFFTAG_PHOTOMETRIC, form.photometric);
  TIFFSetField(file, TIFFTAG_PLANARCONFIG, form.planar);
  TIFFSetField(file, TIFFTAG_ORIENTATION, form.orientation);
  if (form.tile > 0) {
    TIFFSetField(file, TIFFTAG_TILEWIDTH, form.tile);
    TIFFSetField(file, TIFFTAG_TILELENGTH, form.tile);
  } else {
    TIFFSetField(file, TIFFTAG_ROWSPERSTRIP, form.rows_per_strip);
  }
  if (more) more(file);
  const int planes = form.planar == PLANARCONFIG_SEPARATE ? form.samples : 1;
  const int samples = form.samples / planes;
  if (form.tile > 0) {  // only for samples of whole bytes in contiguous planes
    const auto pixel = static_cast<size_t>(form.bits / 8 * samples), side = size_t(form.tile);
    for (uint32_t top = 0; top < form.rows; top += form.tile) {
      for (uint32_t left = 0; left < form.cols; left += form.tile) {
        TiffBytes tile(side * side * pixel);
        for (size_t r = 0; r < side && top + r < form.rows; ++r) {
          for (size_t c = 0; c < side && left + c < form.cols; ++c) {
            std::copy_n(pixels.data() + ((top + r) * form.cols + left + c) * pixel, pixel,
                        tile.data() + (r * side + c) * pixel);
          }
        }
        TIFFWriteTile(file, tile.data(), left, top, 0, 0);
      }
    }
  } else {
    const size_t stride = (form.cols * static_cast<size_t>(samples * form.bits) + 7) / 8;
    for (int plane = 0; plane < planes; ++plane) {
      for (uint32_t row = 0; row < form.rows; ++row) {
        TiffBytes line(
            pixels.begin() + static_cast<ptrdiff_t>((plane * form.rows + row) * stride),
            pixels.begin() + static_cast<ptrdiff_t>((plane * form.rows + row + 1) * stride));
        TIFFWriteScanline(file, line.data(), row, static_cast<uint16_t>(plane));
      }
    }
  }
  TIFFClose(file);
  return test::bytes_of(path);
}

TiffForm form_of(const Image& image) {
  return {static_cast<uint32_t>(image.cols), static_cast<uint32_t>(image.rows)};
}

TEST(Tiff, EveryLosslessCompression) {
  const Image image = scene(37, 53);
  for (const int compression : {COMPRESSION_NONE, COMPRESSION_LZW, COMPRESSION_ADOBE_DEFLATE,
                                COMPRESSION_PACKBITS, COMPRESSION_LZMA, COMPRESSION_ZSTD}) {
    TiffForm form = form_of(image);
    form.compression = compression;
    const Image decoded = decode(tiff(form, image.pixels), 3);
    EXPECT_EQ(decoded.rows, 37);
    EXPECT_EQ(decoded.cols, 53);
    EXPECT_EQ(decoded.pixels, image.pixels) << compression;
  }
}

TEST(Tiff, EndiannessOffsetsTilesAndPlanes) {
  const Image image = scene(37, 53);
  TiffForm form = form_of(image);
  for (const char* mode : {"wb", "wl", "w8", "w8b"}) {
    form.mode = mode;
    EXPECT_EQ(decode(tiff(form, image.pixels), 3).pixels, image.pixels) << mode;
  }
  form.tile = 16;
  EXPECT_EQ(decode(tiff(form, image.pixels), 3).pixels, image.pixels);
  form.tile = 0;
  form.planar = PLANARCONFIG_SEPARATE;
  TiffBytes planes;
  for (size_t c = 0; c < 3; ++c) {
    for (size_t i = c; i < image.pixels.size(); i += 3) planes.push_back(image.pixels[i]);
  }
  EXPECT_EQ(decode(tiff(form, planes), 3).pixels, image.pixels);
}

TEST(Tiff, AlphaIsDroppedWithoutBlending) {
  const uint16_t kind = EXTRASAMPLE_UNASSALPHA;
  const auto extra = [&](TIFF* file) { TIFFSetField(file, TIFFTAG_EXTRASAMPLES, 1, &kind); };
  EXPECT_EQ(decode(tiff({2, 1, 8, 4}, {10, 20, 30, 0, 40, 50, 60, 128}, extra), 3).pixels,
            (TiffBytes{10, 20, 30, 40, 50, 60}));
  EXPECT_EQ(decode(tiff({2, 1, 8, 2, PHOTOMETRIC_MINISBLACK}, {10, 0, 40, 128}, extra), 1).pixels,
            (TiffBytes{10, 40}));
}

TEST(Tiff, GreyOfAnyDepthBlackOrWhiteFirst) {
  const int black = PHOTOMETRIC_MINISBLACK, white = PHOTOMETRIC_MINISWHITE;
  EXPECT_EQ(decode(tiff({3, 1, 8, 1, black}, {1, 128, 255}), 1).pixels, (TiffBytes{1, 128, 255}));
  EXPECT_EQ(decode(tiff({3, 1, 8, 1, white}, {1, 128, 255}), 1).pixels, (TiffBytes{254, 127, 0}));
  EXPECT_EQ(decode(tiff({3, 1, 1, 1, black}, {0xA0}), 1).pixels, (TiffBytes{255, 0, 255}));
  EXPECT_EQ(decode(tiff({3, 1, 1, 1, white}, {0xA0}), 1).pixels, (TiffBytes{0, 255, 0}));
  EXPECT_EQ(decode(tiff({4, 1, 2, 1, black}, {0x1B}), 1).pixels, (TiffBytes{0, 85, 170, 255}));
  EXPECT_EQ(decode(tiff({2, 1, 4, 1, black}, {0x1F}), 1).pixels, (TiffBytes{17, 255}));
  // Values are in native byte order. 0x12FF / 257 = 18.9, rounded to 19.
  EXPECT_EQ(decode(tiff({2, 1, 16, 1, black}, {0xFF, 0x12, 0xFF, 0xFF}), 1).pixels,
            (TiffBytes{19, 255}));
}

TEST(Tiff, SixteenBitsKeepTheHighByteInColour) {
  for (const char* mode : {"wl", "wb"}) {
    const TiffForm form{1, 1, 16, 3, PHOTOMETRIC_RGB, 1, 1, 1, 5, 0, mode};
    EXPECT_EQ(decode(tiff(form, {0xFF, 0x12, 0, 0x80, 0, 0xFF}), 3).pixels,
              (TiffBytes{0x12, 0x80, 0xFF}));
  }
}

TEST(Tiff, Palettes) {
  std::vector<uint16_t> red(256), green(256), blue(256);
  red[1] = 0xFF12;
  green[2] = 0x80FF;
  blue[2] = 0x1200;
  const auto colours = [&](TIFF* file) {
    TIFFSetField(file, TIFFTAG_COLORMAP, red.data(), green.data(), blue.data());
  };
  const int palette = PHOTOMETRIC_PALETTE;
  const TiffBytes expected{0, 0, 0, 255, 0, 0, 0, 0x80, 0x12};
  EXPECT_EQ(decode(tiff({3, 1, 8, 1, palette}, {0, 1, 2}, colours), 3).pixels, expected);
  EXPECT_EQ(decode(tiff({3, 1, 4, 1, palette}, {0x01, 0x20}, colours), 3).pixels, expected);
}

TEST(Tiff, Inks) {
  // Three CMYK pixels: no ink; full black; half cyan, full magenta and some black. They are
  // converted as in Pillow.
  EXPECT_EQ(
      decode(tiff({3, 1, 8, 4, PHOTOMETRIC_SEPARATED}, {0, 0, 0, 0, 0, 0, 0, 255, 127, 255, 0, 55}),
             3)
          .pixels,
      (TiffBytes{255, 255, 255, 0, 0, 0, 100, 0, 200}));
}

// Like Pillow, decode() applies the orientation of a TIFF.
TEST(Tiff, Orientations) {
  const TiffBytes file{1, 2, 3, 4, 5, 6};  // 3 columns, 2 rows
  const std::vector<std::pair<TiffBytes, int64_t>> expected{
      {{1, 2, 3, 4, 5, 6}, 3}, {{3, 2, 1, 6, 5, 4}, 3}, {{6, 5, 4, 3, 2, 1}, 3},
      {{4, 5, 6, 1, 2, 3}, 3}, {{1, 4, 2, 5, 3, 6}, 2}, {{4, 1, 5, 2, 6, 3}, 2},
      {{6, 3, 5, 2, 4, 1}, 2}, {{3, 6, 2, 5, 1, 4}, 2}};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    TiffForm form{3, 2, 8, 1, PHOTOMETRIC_MINISBLACK};
    form.orientation = orientation;
    const Image image = decode(tiff(form, file), 1);
    const auto& [pixels, cols] = expected[static_cast<size_t>(orientation) - 1];
    EXPECT_EQ(image.cols, cols) << orientation;
    EXPECT_EQ(image.pixels, pixels) << orientation;
  }
}

TEST(Tiff, JpegInsideGivesColoursNearTheOriginal) {
  Image image{32, 32, 3, {}};  // a smooth image
  for (int row = 0; row < 32; ++row) {
    for (int col = 0; col < 32; ++col) {
      for (const int value : {row * 8, col * 8, 128}) {
        image.pixels.push_back(static_cast<uint8_t>(value));
      }
    }
  }
  TiffForm form = form_of(image);
  form.compression = COMPRESSION_JPEG;
  form.photometric = PHOTOMETRIC_YCBCR;
  form.rows_per_strip = 16;
  const Image decoded = decode(tiff(form, image.pixels,
                                    [](TIFF* file) {
                                      TIFFSetField(file, TIFFTAG_JPEGQUALITY, 95);
                                      TIFFSetField(file, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
                                    }),
                               3);
  double sum = 0;
  for (size_t i = 0; i < decoded.pixels.size(); ++i) {
    sum += std::abs(int{decoded.pixels[i]} - int{image.pixels[i]});
  }
  EXPECT_LT(sum / static_cast<double>(decoded.pixels.size()), 4);
}

TEST(Tiff, OfSeveralPagesTheFirst) {
  const test::Scratch folder;
  const auto path = folder / "x.tif";
  TIFF* const file = TIFFOpen(path.c_str(), "w");
  for (const uint8_t value : {uint8_t{11}, uint8_t{22}}) {
    TIFFSetField(file, TIFFTAG_IMAGEWIDTH, 1);
    TIFFSetField(file, TIFFTAG_IMAGELENGTH, 1);
    TIFFSetField(file, TIFFTAG_BITSPERSAMPLE, 8);
    TIFFSetField(file, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK);
    uint8_t line = value;
    TIFFWriteScanline(file, &line, 0, 0);
    TIFFWriteDirectory(file);
  }
  TIFFClose(file);
  EXPECT_EQ(decode(test::bytes_of(path), 1).pixels, TiffBytes{11});
}

TEST(Tiff, WhatIsNotReadSaysWhatItIs) {
  const auto field = [](uint32_t tag, int value) {
    return [=](TIFF* file) { TIFFSetField(file, tag, value); };
  };
  const TiffForm grey{1, 1, 8, 1, PHOTOMETRIC_MINISBLACK};
  const std::vector<std::pair<TiffBytes, std::string>> cases{
      {tiff({1, 1, 32, 1, PHOTOMETRIC_MINISBLACK}, {0, 0, 0, 0},
            field(TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_IEEEFP)),
       "floating-point"},
      {tiff({1, 1, 32, 1, PHOTOMETRIC_MINISBLACK}, {0, 0, 0, 0}), "32 bits a sample"},
      {tiff({1, 1, 8, 3, PHOTOMETRIC_CIELAB}, {0, 0, 0}), "photometric 8"},
      {tiff({1, 1, 8, 1, 32803}, {0}), "a camera's raw file"},
      {tiff(grey, {0}, field(TIFFTAG_SUBFILETYPE, FILETYPE_REDUCEDIMAGE)),
       "begins with a thumbnail"},
      {tiff({1, 1, 8, 12}, TiffBytes(12)), "12 samples"},
      {TiffBytes{'I', 'I', '*', 0, 16, 0, 0, 0, 'C', 'R', 2, 0}, "a camera's raw file (Canon)"}};
  for (const auto& [bytes, reason] : cases) {
    const std::string message = data_error([&] { decode(bytes, 3); });
    EXPECT_NE(message.find(reason), std::string::npos) << reason << ": " << message;
  }
}

TEST(Tiff, TheSizeIsCheckedBeforeMemoryIsTaken) {
  const TiffBytes bytes = tiff(form_of(scene(20, 30)), scene(20, 30).pixels);
  EXPECT_NE(data_error([&] { decode(bytes, 3, {.max_pixels = 599}); }).find("30x20"),
            std::string::npos);
  EXPECT_EQ(decode(bytes, 3, {.max_pixels = 600}).rows, 20);
}

TEST(Tiff, CutAnywhereIsRefused) {
  TiffForm form = form_of(scene(9, 13));
  form.compression = COMPRESSION_LZW;
  const TiffBytes bytes = tiff(form, scene(9, 13).pixels);  // its directory is at the end
  for (size_t size = 0; size < bytes.size(); size += 3) {
    EXPECT_THROW(decode(std::span(bytes).first(size), 3), Error) << size;
  }
}

TEST(Tiff, AlteredFilesGiveAnImageOrAReason) {
  KeyedRandom random(1, Purpose::kSynthetic, 0, 0);
  const Image image = scene(9, 13);
  TiffForm form = form_of(image);
  std::vector<TiffBytes> sound;
  for (const int compression : {COMPRESSION_LZW, COMPRESSION_PACKBITS, COMPRESSION_ADOBE_DEFLATE}) {
    form.compression = compression;
    sound.push_back(tiff(form, image.pixels));
  }
  int refused = 0;
  for (int i = 0; i < 3000; ++i) {
    TiffBytes bytes = sound[static_cast<size_t>(i) % sound.size()];
    for (int changes = 0; changes < 1 + i % 4; ++changes) {
      // In every second file, the changes are in the last 200 bytes, where the directory is.
      const size_t at =
          i % 2 == 0 ? random.below(bytes.size()) : bytes.size() - 1 - random.below(200);
      bytes[at] = static_cast<uint8_t>(random.below(256));
    }
    if (test::is_refused(bytes)) ++refused;
  }
  EXPECT_GT(refused, 500);
}

}  // namespace
}  // namespace fcm::image
