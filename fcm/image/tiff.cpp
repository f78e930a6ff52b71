// Decodes the first page of a TIFF with libtiff, from memory, one strip or tile at a time.
#include <tiffio.h>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <memory>
#include <string>

#include "fcm/base/error.h"
#include "fcm/image/codecs.h"
#include "fcm/image/colour.h"
#include "fcm/image/orientation.h"

namespace fcm::image {
namespace {

// The bytes that libtiff reads, and its error message.
struct Source {
  std::span<const uint8_t> bytes;
  uint64_t at = 0;
  std::array<char, 256> reason{};
};

Source& of(thandle_t handle) { return *static_cast<Source*>(handle); }

tmsize_t read_bytes(thandle_t handle, void* to, tmsize_t count) {
  Source& source = of(handle);
  const uint64_t left = source.bytes.size() - std::min<uint64_t>(source.at, source.bytes.size());
  const auto given = std::min<uint64_t>(left, static_cast<uint64_t>(count));
  std::copy_n(source.bytes.data() + (given > 0 ? source.at : 0), given, static_cast<uint8_t*>(to));
  source.at += given;
  return static_cast<tmsize_t>(given);
}

toff_t seek(thandle_t handle, toff_t offset, int from) {
  Source& source = of(handle);
  if (from == SEEK_CUR) offset += source.at;
  if (from == SEEK_END) offset += source.bytes.size();
  return source.at = offset;
}

// libtiff's first message is the most informative.
int keep_reason(TIFF*, void* user, const char*, const char* format, va_list values) {
  auto& reason = static_cast<Source*>(user)->reason;
  if (reason[0] == '\0') std::vsnprintf(reason.data(), reason.size(), format, values);
  return 1;
}

// Warnings are ignored: they concern tags that the decoder does not use.
int ignore(TIFF*, void*, const char*, const char*, va_list) { return 1; }

using Handle = std::unique_ptr<TIFF, decltype(&TIFFClose)>;

[[noreturn]] void fail_damaged(const Source& source) {
  fail(ExitCode::kData, "damaged TIFF: {}",
       source.reason[0] != '\0' ? source.reason.data() : "premature end of file");
}

// Maximum bytes of one strip or tile: the largest image allowed, with four samples of 16 bits.
tmsize_t most_bytes(const DecodeLimits& limits) {
  return std::max<tmsize_t>(limits.max_pixels * 8, 1 << 20);
}

Handle open(Source& source, const DecodeLimits& limits) {
  TIFFOpenOptions* const options = TIFFOpenOptionsAlloc();
  if (options == nullptr) fail(ExitCode::kDevice, "out of memory while opening a TIFF");
  TIFFOpenOptionsSetMaxSingleMemAlloc(options, most_bytes(limits));
  TIFFOpenOptionsSetErrorHandlerExtR(options, keep_reason, &source);
  TIFFOpenOptionsSetWarningHandlerExtR(options, ignore, nullptr);
  // "m": no memory mapping, since the bytes are in memory already.
  TIFF* const tiff = TIFFClientOpenExt(
      "picture", "rm", &source, read_bytes,
      [](thandle_t, void*, tmsize_t) -> tmsize_t { return 0; }, seek, [](thandle_t) { return 0; },
      [](thandle_t handle) -> toff_t { return of(handle).bytes.size(); }, nullptr, nullptr,
      options);
  TIFFOpenOptionsFree(options);
  if (tiff == nullptr) fail_damaged(source);
  return {tiff, &TIFFClose};
}

struct Layout {
  uint32_t rows = 0, cols = 0, kind = 0;
  uint16_t bits = 1, samples = 1, photometric = 0, planar = PLANARCONFIG_CONTIG;
  uint16_t compression = COMPRESSION_NONE, format = SAMPLEFORMAT_UINT;
  uint16_t orientation = ORIENTATION_TOPLEFT;
  size_t used = 1;  // colour samples: 1, 3 or 4
};

// Number of colour samples; refuses raw files and unsupported colour spaces.
size_t samples_of(const Layout& layout) {
  constexpr uint16_t kColourFilters = 32803, kLinearRaw = 34892;
  switch (layout.photometric) {
    case PHOTOMETRIC_MINISWHITE:
    case PHOTOMETRIC_MINISBLACK:
    case PHOTOMETRIC_PALETTE:
      return 1;
    case PHOTOMETRIC_RGB:
    case PHOTOMETRIC_YCBCR:
      return 3;
    case PHOTOMETRIC_SEPARATED:
      return 4;
    case kColourFilters:
    case kLinearRaw:
      fail(ExitCode::kData,
           "a camera's raw file (DNG or the like); develop it to JPEG, PNG or TIFF");
    default:
      fail(ExitCode::kData,
           "a TIFF in an unsupported colour space (photometric {}); convert it to RGB",
           layout.photometric);
  }
}

void check_layout(const Layout& layout) {
  if ((layout.kind & FILETYPE_REDUCEDIMAGE) != 0) {
    fail(ExitCode::kData,
         "a TIFF that begins with a thumbnail, like camera raw files; develop it to JPEG, PNG or "
         "TIFF");
  }
  if (layout.format != SAMPLEFORMAT_UINT && layout.format != SAMPLEFORMAT_VOID) {
    fail(ExitCode::kData, "a TIFF of signed or floating-point numbers; convert it to 8 or 16 bits");
  }
  const bool whole = layout.bits == 8 || layout.bits == 16;
  const bool few = layout.used == 1 && (layout.bits == 1 || layout.bits == 2 || layout.bits == 4);
  if ((!whole && !few) || (layout.photometric == PHOTOMETRIC_PALETTE && layout.bits == 16)) {
    fail(ExitCode::kData, "a TIFF of {} bits a sample is not supported; convert it to 8 or 16 bits",
         layout.bits);
  }
  constexpr uint16_t kMostSamples = 8;
  if (layout.samples < layout.used || layout.samples > kMostSamples) {
    fail(ExitCode::kData, "a TIFF of {} samples a pixel, expected {} to {}", layout.samples,
         layout.used, kMostSamples);
  }
  if (layout.compression == COMPRESSION_OJPEG || TIFFIsCODECConfigured(layout.compression) == 0) {
    fail(ExitCode::kData, "a TIFF of compression {} is not supported; convert it to deflate or LZW",
         layout.compression);
  }
}

Layout read_layout(TIFF* tiff, const DecodeLimits& limits) {
  Layout layout;
  TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &layout.cols);
  TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &layout.rows);
  check_size(layout.rows, layout.cols, limits);
  TIFFGetField(tiff, TIFFTAG_SUBFILETYPE, &layout.kind);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_BITSPERSAMPLE, &layout.bits);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &layout.samples);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_PLANARCONFIG, &layout.planar);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_COMPRESSION, &layout.compression);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLEFORMAT, &layout.format);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_ORIENTATION, &layout.orientation);
  if (TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &layout.photometric) == 0) {
    layout.photometric = layout.samples >= 3 ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK;
  }
  layout.used = samples_of(layout);
  check_layout(layout);
  return layout;
}

// Sample `index` of a row, as one byte. 16-bit grey is rounded to 8 bits; of 16-bit colours the
// high byte is kept.
uint8_t sample_of(const uint8_t* row, size_t index, const Layout& layout) {
  if (layout.bits == 8) return row[index];
  if (layout.bits == 16) {
    const uint32_t value = row[2 * index] | row[2 * index + 1]
                                                << 8;  // libtiff returns native byte order
    return static_cast<uint8_t>(layout.used == 1 ? (value * 255 + 32895) >> 16 : value >> 8);
  }
  const size_t bit = index * layout.bits;
  const unsigned most = (1U << layout.bits) - 1;
  const unsigned value = row[bit / 8] >> (8 - layout.bits - bit % 8) & most;
  return static_cast<uint8_t>(layout.photometric == PHOTOMETRIC_PALETTE ? value
                                                                        : value * 255 / most);
}

// A strip or a tile.
struct Block {
  bool is_tile;
  uint32_t rows, cols;
  tmsize_t bytes, stride;
};

Block block_of(TIFF* tiff, const Layout& layout, const DecodeLimits& limits) {
  Block block{TIFFIsTiled(tiff) != 0, 0, 0, 0, 0};
  if (block.is_tile) {
    TIFFGetField(tiff, TIFFTAG_TILELENGTH, &block.rows);
    TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &block.cols);
    block.bytes = TIFFTileSize(tiff);
    block.stride = TIFFTileRowSize(tiff);
  } else {
    TIFFGetFieldDefaulted(tiff, TIFFTAG_ROWSPERSTRIP, &block.rows);
    block.rows = std::min(block.rows, layout.rows);
    block.cols = layout.cols;
    block.bytes = TIFFStripSize(tiff);
    block.stride = TIFFScanlineSize(tiff);
  }
  if (block.rows == 0 || block.cols == 0 || block.bytes <= 0 || block.stride <= 0 ||
      block.bytes > most_bytes(limits) || block.stride > block.bytes) {
    fail(ExitCode::kData, "damaged TIFF: strips or tiles of {}x{} pixels in {} bytes", block.cols,
         block.rows, block.bytes);
  }
  return block;
}

// Reads the colour samples: rows x cols x used bytes.
std::vector<uint8_t> read_samples(TIFF* tiff, const Source& source, const Layout& layout,
                                  const DecodeLimits& limits) {
  const Block block = block_of(tiff, layout, limits);
  std::vector<uint8_t> samples(size_t{layout.rows} * layout.cols * layout.used);
  std::vector<uint8_t> bytes(static_cast<size_t>(block.bytes));
  const bool apart = layout.planar == PLANARCONFIG_SEPARATE;
  const size_t step = apart ? 1 : layout.samples;
  for (uint32_t top = 0; top < layout.rows; top += std::min(block.rows, layout.rows - top)) {
    const uint32_t rows = std::min(block.rows, layout.rows - top);
    for (uint32_t left = 0; left < layout.cols; left += std::min(block.cols, layout.cols - left)) {
      const uint32_t cols = std::min(block.cols, layout.cols - left);
      for (uint16_t plane = 0; plane < (apart ? layout.used : 1); ++plane) {
        const tmsize_t got =
            block.is_tile ? TIFFReadEncodedTile(tiff, TIFFComputeTile(tiff, left, top, 0, plane),
                                                bytes.data(), block.bytes)
                          : TIFFReadEncodedStrip(tiff, TIFFComputeStrip(tiff, top, plane),
                                                 bytes.data(), block.bytes);
        const size_t needed = ((cols - 1) * step + (apart ? 1 : layout.used)) * layout.bits;
        if (got < block.stride * rows || static_cast<size_t>(block.stride) < (needed + 7) / 8) {
          fail_damaged(source);
        }
        for (uint32_t row = 0; row < rows; ++row) {
          const uint8_t* const line = bytes.data() + row * block.stride;
          uint8_t* to = samples.data() + (size_t{top + row} * layout.cols + left) * layout.used;
          for (size_t col = 0; col < cols; ++col, to += layout.used) {
            if (apart) {
              to[plane] = sample_of(line, col, layout);
            } else {
              for (size_t c = 0; c < layout.used; ++c) {
                to[c] = sample_of(line, col * step + c, layout);
              }
            }
          }
        }
      }
    }
  }
  return samples;
}

// For YCbCr without JPEG compression: libtiff converts it to RGB.
std::vector<uint8_t> read_converted(TIFF* tiff, const Source& source, const Layout& layout) {
  std::vector<uint32_t> raster(size_t{layout.rows} * layout.cols);
  if (TIFFReadRGBAImageOriented(tiff, layout.cols, layout.rows, raster.data(), layout.orientation,
                                1) == 0) {
    fail_damaged(source);
  }
  std::vector<uint8_t> rgb(raster.size() * 3);
  for (size_t i = 0; i < raster.size(); ++i) {
    rgb[3 * i] = static_cast<uint8_t>(TIFFGetR(raster[i]));
    rgb[3 * i + 1] = static_cast<uint8_t>(TIFFGetG(raster[i]));
    rgb[3 * i + 2] = static_cast<uint8_t>(TIFFGetB(raster[i]));
  }
  return rgb;
}

std::vector<uint8_t> through_palette(TIFF* tiff, const std::vector<uint8_t>& indices,
                                     const Layout& layout) {
  std::array<uint16_t*, 3> maps{};
  if (TIFFGetField(tiff, TIFFTAG_COLORMAP, &maps[0], &maps[1], &maps[2]) == 0) {
    fail(ExitCode::kData, "damaged TIFF: it has a palette without colours");
  }
  require(layout.bits <= 8, "expected a palette of at most 8 bits, got {}", layout.bits);
  std::vector<uint8_t> rgb;
  rgb.reserve(indices.size() * 3);
  for (const uint8_t index : indices) {
    for (const uint16_t* const map : maps) rgb.push_back(static_cast<uint8_t>(map[index] >> 8));
  }
  return rgb;
}

Image to_colours(TIFF* tiff, std::vector<uint8_t> samples, const Layout& layout) {
  Image image{layout.rows, layout.cols, layout.used == 1 ? 1 : 3, {}};
  if (layout.photometric == PHOTOMETRIC_PALETTE) {
    image.channels = 3;
    image.pixels = through_palette(tiff, samples, layout);
  } else if (layout.photometric == PHOTOMETRIC_SEPARATED) {
    for (uint8_t& ink : samples) ink = static_cast<uint8_t>(255 - ink);
    image.pixels.resize(samples.size() / 4 * 3);
    rgb_from_inverted_cmyk(samples.data(), image.rows * image.cols, image.pixels.data());
  } else {
    if (layout.photometric == PHOTOMETRIC_MINISWHITE) {
      for (uint8_t& value : samples) value = static_cast<uint8_t>(255 - value);
    }
    image.pixels = std::move(samples);
  }
  return image;
}

}  // namespace

bool is_tiff(std::span<const uint8_t> bytes) {
  if (bytes.size() < 8) return false;
  const bool little = bytes[0] == 'I' && bytes[1] == 'I' && bytes[3] == 0 &&
                      (bytes[2] == 42 || bytes[2] == 43);  // 43: BigTIFF
  const bool big =
      bytes[0] == 'M' && bytes[1] == 'M' && bytes[2] == 0 && (bytes[3] == 42 || bytes[3] == 43);
  const bool canon = little && bytes.size() >= 10 && bytes[8] == 'C' && bytes[9] == 'R';
  return (little && !canon) || big;
}

Image decode_tiff(std::span<const uint8_t> bytes, const DecodeLimits& limits) {
  Source source{bytes};
  const Handle tiff = open(source, limits);
  const Layout layout = read_layout(tiff.get(), limits);
  const bool is_ycbcr = layout.photometric == PHOTOMETRIC_YCBCR;
  if (is_ycbcr && layout.compression == COMPRESSION_JPEG) {
    TIFFSetField(tiff.get(), TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
  }
  std::vector<uint8_t> samples = is_ycbcr && layout.compression != COMPRESSION_JPEG
                                     ? read_converted(tiff.get(), source, layout)
                                     : read_samples(tiff.get(), source, layout, limits);
  // Pillow also applies the orientation when it reads a TIFF.
  return upright(to_colours(tiff.get(), std::move(samples), layout), layout.orientation);
}

}  // namespace fcm::image
