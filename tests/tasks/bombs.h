// Bombs: files that claim or decompress to far more memory than they have bytes, and files whose
// deep nesting or long lines are costly to parse.
#pragma once

#include <fmt/format.h>
#include <zlib.h>

#include <string>
#include <vector>

#include "tests/formats/pth_support.h"
#include "tests/image/codec_support.h"
#include "tests/loader/tar_support.h"

namespace fcm::tests {

struct Bomb {
  std::string name;
  std::vector<std::string> command;  // arguments of the program; the file's path is appended
  std::string file, bytes;
  int status;                                     // exit status
  std::string other_file = {}, other_bytes = {};  // a second file that the first needs
};

inline std::string repeated(const std::string& piece, size_t times) {
  std::string text;
  text.reserve(piece.size() * times);
  for (size_t i = 0; i < times; ++i) text += piece;
  return text;
}

inline std::string big_endian(uint32_t value) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(value >> shift);
  return text;
}

// `begin` followed by `zeros` zero bytes, which zlib compresses to about a thousandth of their
// size.
inline std::string deflated(const std::string& begin, uint64_t zeros, bool gzip) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, gzip ? MAX_WBITS + 16 : MAX_WBITS, 9, Z_DEFAULT_STRATEGY);
  std::string out, chunk = begin;
  std::string buffer(1 << 16, '\0');
  for (bool last = false; !last;) {
    last = zeros == 0;
    stream.next_in = reinterpret_cast<Bytef*>(chunk.data());
    stream.avail_in = static_cast<uInt>(chunk.size());
    do {
      stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
      stream.avail_out = static_cast<uInt>(buffer.size());
      deflate(&stream, last ? Z_FINISH : Z_NO_FLUSH);
      out.append(buffer, 0, buffer.size() - stream.avail_out);
    } while (stream.avail_out == 0);
    chunk.assign(static_cast<size_t>(std::min<uint64_t>(zeros, 1 << 22)), '\0');
    zeros -= chunk.size();
  }
  deflateEnd(&stream);
  return out;
}

inline std::string png_chunk(const std::string& type, const std::string& data) {
  const std::string body = type + data;
  const auto sum = static_cast<uint32_t>(
      ::crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size())));
  return big_endian(static_cast<uint32_t>(data.size())) + body + big_endian(sum);
}

inline std::string png_of(uint32_t cols, uint32_t rows, uint8_t depth, uint8_t colour,
                          const std::string& packed, const std::string& before = {}) {
  std::string header = big_endian(cols) + big_endian(rows);
  header += {static_cast<char>(depth), static_cast<char>(colour), '\0', '\0', '\0'};
  return "\x89PNG\r\n\x1a\n" + png_chunk("IHDR", header) + before + png_chunk("IDAT", packed) +
         png_chunk("IEND", "");
}

inline std::string text_of(const std::vector<uint8_t>& bytes) {
  return {bytes.begin(), bytes.end()};
}

// A JPEG whose frame header claims this size, in two 16-bit fields.
inline std::string jpeg_claiming(uint16_t rows, uint16_t cols) {
  std::string bytes = text_of(test::encode_jpeg(test::scene(40, 50)));
  const size_t frame = bytes.find("\xff\xc0");
  bytes.replace(frame + 5, 4, big_endian(static_cast<uint32_t>(rows) << 16 | cols));
  return bytes;
}

// A lossless WebP whose header claims this size, in two 14-bit fields after the signature.
inline std::string webp_claiming(uint32_t rows, uint32_t cols) {
  std::string bytes = text_of(test::encode_webp(test::scene(40, 50), {.lossless = true}));
  const size_t data = bytes.find("VP8L") + 9;
  const uint32_t size = (cols - 1) | (rows - 1) << 14;
  for (int i = 0; i < 3; ++i) bytes[data + i] = static_cast<char>(size >> (8 * i));
  bytes[data + 3] = static_cast<char>((bytes[data + 3] & 0xf0) | size >> 24);
  return bytes;
}

inline std::string billion_laughs_pickle() {
  std::string text = std::string(")q\0", 3);
  for (char level = 1; level < 12; ++level) {
    const std::string below = std::string("h") + static_cast<char>(level - 1);
    text += "0(" + repeated(below, 60) + "tq" + level;
  }
  return text;
}

inline std::string safetensors_of(uint64_t announced, const std::string& header) {
  return formats::le(announced) + header;
}

inline std::vector<Bomb> image_bombs() {
  const std::vector<std::string> verify = {"data", "verify"};
  const std::string pixel = deflated("", 4, false);
  const auto profile = png_chunk("iCCP", std::string("x\0\0", 3) + deflated("", 1 << 28, false));
  const auto text = png_chunk("zTXt", std::string("x\0\0", 3) + deflated("", 1 << 28, false));
  return {
      {"PNG claims 65535x65535", verify, "train/a/x.png", png_of(65535, 65535, 8, 2, pixel), 3},
      {"PNG claims 2^31-1 columns", verify, "train/a/x.png", png_of(0x7fffffff, 1, 16, 6, pixel),
       3},
      {"PNG of 400 million black dots", verify, "train/a/x.png",
       png_of(20000, 20000, 1, 0, deflated("", 20000 * 2501, false)), 3},
      // Valid images: the decoder never decompresses the chunk or the rows that are too large.
      {"PNG with more data than pixels", verify, "train/a/x.png",
       png_of(1, 1, 8, 2, deflated("", 1 << 28, false)), 0},
      {"PNG with a profile of 256 MB", verify, "train/a/x.png", png_of(1, 1, 8, 2, pixel, profile),
       0},
      {"PNG with a text of 256 MB", verify, "train/a/x.png", png_of(1, 1, 8, 2, pixel, text), 0},
      {"JPEG claims 65500x65500", verify, "train/a/x.jpg", jpeg_claiming(65500, 65500), 3},
      {"WebP claims 16384x16384", verify, "train/a/x.webp", webp_claiming(16384, 16384), 3},
  };
}

inline std::vector<Bomb> data_bombs() {
  const std::vector<std::string> verify = {"data", "verify"};
  const auto idx_images = [](uint32_t count, uint32_t rows, uint32_t cols) {
    return big_endian(0x803) + big_endian(count) + big_endian(rows) + big_endian(cols);
  };
  const std::string labels = big_endian(0x801) + big_endian(1) + std::string(1, '\0');
  const std::string images_file = "x-images-idx3-ubyte", sizes = "x-labels-idx1-ubyte";
  std::string huge = test::tar_header("a.jpg", 0);
  huge.replace(124, 12, std::string("\x80\0\0\0\x3f\xff\xff\xff\xff\xff\xff\xff", 12));
  return {
      {"IDX claims 2^32-1 pictures", verify, images_file, idx_images(0xffffffff, 28, 28), 3, sizes,
       labels},
      {"IDX, gzipped, of 1 GB of zeros", verify, images_file + ".gz",
       deflated(idx_images(1, 2, 2), 1 << 30, true), 3, sizes, labels},
      {"IDX, gzipped, claims 2^32-1 pictures", verify, images_file + ".gz",
       deflated(idx_images(0xffffffff, 0xffff, 0xffff), 1 << 28, true), 3, sizes, labels},
      {"tar member of 2^62 bytes", verify, "x.tar", test::sealed(huge) + test::tar_end(), 3},
      {"tar header of 8 GB of pax records", verify, "x.tar",
       test::sealed(test::tar_header("p", 8'000'000'000, 'x')) + test::tar_end(), 3},
      {"list of one line of 64 MB", verify, "x.txt", std::string(1 << 26, 'a'), 3},
      {"packed index of 2^60 bytes", verify, "x.fcm",
       "FCMPACK\n" + formats::le<uint32_t>(1) + formats::le<uint32_t>(1) +
           formats::le<uint64_t>(16) + formats::le(uint64_t{1} << 60) + formats::le<uint64_t>(0) +
           "FCMPACK\n",
       3},
  };
}

inline std::vector<Bomb> checkpoint_bombs() {
  const std::vector<std::string> verify = {"checkpoint", "verify"};
  formats::Member code("a/data.pkl", deflated("", 1 << 28, false));
  code.method = 8;
  code.size = 1U << 28;
  const std::string deep = repeated("[", 1'000'000);
  const std::string shape =
      R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}})";
  return {
      {"zip member of 256 MB, deflated", verify, "x.pth",
       formats::archive_of({code, {"a/data/0", "1234"}}), 4},
      {"pickle with a memo of 2^31", verify, "x.pth", formats::pth_of("Nr\xff\xff\xff\x7f"), 4},
      {"pickle that laughs a billion times", verify, "x.pth",
       formats::pth_of(billion_laughs_pickle()), 4},
      {"pickle of a million nested lists", verify, "x.pth",
       formats::pth_of(repeated("]", 1'000'000) + repeated("a", 999'999)), 4},
      {"pickle FRAME of 2^62 bytes", verify, "x.pth",
       formats::pth_of("\x95" + formats::le(uint64_t{1} << 62) + "N", "\x80\x04"), 4},
      {"storage of 2^62 elements", verify, "x.pth",
       formats::pth_of(formats::tensor_of(formats::storage("FloatStorage", "0", int64_t{1} << 62),
                                          0, {1}, {1})),
       4},
      {"safetensors header of 2^63 bytes", verify, "x.safetensors",
       safetensors_of(uint64_t{1} << 63, "{}"), 4},
      {"safetensors of a million nested lists", verify, "x.safetensors",
       safetensors_of(5 + deep.size(), "{\"a\":" + deep), 4},
      {"safetensors shape of 2^62 by 4", verify, "x.safetensors",
       safetensors_of(shape.size(), shape), 4},
      {"index of shards, nested a million times", verify, "model.safetensors.index.json", deep, 4},
  };
}

inline std::vector<Bomb> recipe_bombs() {
  const std::vector<std::string> check = {"recipe", "check"};
  return {
      {"recipe of a million nested lists", check, "x.toml", "a = " + repeated("[", 1'000'000), 2},
      {"recipe of a million nested tables", check, "x.toml", "a = " + repeated("{a=", 1'000'000),
       2},
      {"recipe whose key has a million dots", check, "x.toml", repeated("a.", 1'000'000) + "a = 1",
       2},
      {"recipe of one text of 64 MB", check, "x.toml", "a = \"" + std::string(1 << 26, 'b') + "\"",
       2},
  };
}

}  // namespace fcm::tests
