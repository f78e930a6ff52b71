#include <png.h>

#include <array>
#include <cstring>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/image/codecs.h"
#include "fcm/image/escape.h"

namespace fcm::image {
namespace {

// Where an error jumps to, and its reason. libpng passes this struct to the error callback.
struct ErrorJump {
  std::jmp_buf escape;
  std::array<char, 256> reason{};
};

void on_error(png_structp png, png_const_charp text) {
  auto& jump = *static_cast<ErrorJump*>(png_get_error_ptr(png));
  std::strncpy(jump.reason.data(), text, jump.reason.size() - 1);
  std::longjmp(jump.escape, 1);
}

// Warnings concern profiles, text and the like, which are not used.
void on_warning(png_structp, png_const_charp) {}

void on_read(png_structp png, png_bytep to, size_t count) {
  auto& left = *static_cast<std::span<const uint8_t>*>(png_get_io_ptr(png));
  if (count > left.size()) png_error(png, "premature end of file");
  std::memcpy(to, left.data(), count);
  left = left.subspan(count);
}

class Reader {
 public:
  explicit Reader(std::span<const uint8_t> bytes) : left_(bytes) {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, &jump_, on_error, on_warning);
    if (png_ != nullptr) info_ = png_create_info_struct(png_);
    if (info_ == nullptr) {
      png_destroy_read_struct(&png_, nullptr, nullptr);
      fail(ExitCode::kDevice, "out of memory while opening a PNG");
    }
    png_set_read_fn(png_, &left_, on_read);
  }
  ~Reader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  template <class Steps>
  void run(const Steps& steps) {
    if (!try_steps(jump_.escape, steps)) {
      fail(ExitCode::kData, "damaged PNG: {}", jump_.reason.data());
    }
  }
  png_structp png() const { return png_; }
  png_infop info() const { return info_; }

 private:
  ErrorJump jump_;
  std::span<const uint8_t> left_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

// Requests 8-bit grey or RGB from libpng, for any file.
void choose_output(png_structp png, png_infop info) {
  const int type = png_get_color_type(png, info);
  const int depth = png_get_bit_depth(png, info);
  if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
  if (type == PNG_COLOR_TYPE_GRAY && depth < 8) png_set_expand_gray_1_2_4_to_8(png);
  if (depth == 16) {
    if (type == PNG_COLOR_TYPE_GRAY) {
      png_set_scale_16(png);
    } else {
      png_set_strip_16(png);
    }
  }
  png_set_strip_alpha(png);
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
}

// Requests the file's values unchanged, one per byte.
void choose_raw_values(png_structp png, png_infop info) {
  png_set_packing(png);
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
}

// What is wrong with a PNG as a class map; "" if nothing.
const char* class_map_fault(png_structp png, png_infop info) {
  const int type = png_get_color_type(png, info);
  if (type == PNG_COLOR_TYPE_GRAY_ALPHA) return "it has an alpha channel";
  if (type != PNG_COLOR_TYPE_GRAY && type != PNG_COLOR_TYPE_PALETTE) return "it holds colours";
  return png_get_bit_depth(png, info) > 8 ? "it has 16 bits" : "";
}

void read_header(Reader& reader) {
  png_structp png = reader.png();
  png_infop info = reader.info();
  reader.run([&] {
    png_set_crc_action(png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
    // Only chunks that affect pixels are read; others could be decompression bombs.
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
    png_set_chunk_malloc_max(png, 0);  // no limit: skipped chunks may be long
    png_read_info(png, info);
  });
}

// Call after read_header. `choose` sets the output format.
Image read_pixels(Reader& reader, const DecodeLimits& limits,
                  void (*choose)(png_structp, png_infop)) {
  png_structp png = reader.png();
  png_infop info = reader.info();
  Image image;
  image.rows = png_get_image_height(png, info);
  image.cols = png_get_image_width(png, info);
  check_size(image.rows, image.cols, limits);
  reader.run([&] { choose(png, info); });
  image.channels = png_get_channels(png, info);
  const size_t stride = png_get_rowbytes(png, info);
  require(stride == static_cast<size_t>(image.cols * image.channels),
          "PNG: a row has {} bytes for {} pixels of {} channels, expected one byte each", stride,
          image.cols, image.channels);
  image.pixels.resize(static_cast<size_t>(image.rows) * stride);
  std::vector<png_bytep> rows(static_cast<size_t>(image.rows));
  for (size_t row = 0; row < rows.size(); ++row) rows[row] = image.pixels.data() + row * stride;
  reader.run([&] {
    png_read_image(png, rows.data());
    png_read_end(png, nullptr);
  });
  return image;
}

}  // namespace

bool is_png(std::span<const uint8_t> bytes) {
  return bytes.size() >= 8 && png_sig_cmp(bytes.data(), 0, 8) == 0;
}

Image decode_png(std::span<const uint8_t> bytes, const DecodeLimits& limits) {
  Reader reader(bytes);
  read_header(reader);
  return read_pixels(reader, limits, choose_output);
}

Image decode_class_map(std::span<const uint8_t> bytes, const DecodeLimits& limits) {
  if (!is_png(bytes)) {
    fail(ExitCode::kData,
         "it is not a PNG, but a class map must be one: 8 bits, one channel or a palette");
  }
  Reader reader(bytes);
  read_header(reader);
  if (const char* const fault = class_map_fault(reader.png(), reader.info()); *fault != '\0') {
    fail(ExitCode::kData,
         "{}, but a class map must be an 8-bit PNG with one channel or a palette: the value or "
         "index of a pixel is its class number",
         fault);
  }
  return read_pixels(reader, limits, choose_raw_values);
}

std::vector<uint8_t> encode_png(const Image& image) {
  require(image.channels == 1 || image.channels == 3,
          "encode_png: expected 1 or 3 channels, got {}", image.channels);
  const auto stride = static_cast<size_t>(image.cols * image.channels);
  require(image.rows > 0 && image.cols > 0 &&
              image.pixels.size() == static_cast<size_t>(image.rows) * stride,
          "encode_png: {} bytes do not match {} x {} pixels of {} channels", image.pixels.size(),
          image.rows, image.cols, image.channels);
  // Callbacks must not throw through libpng, so the output's final capacity is reserved beforehand:
  // deflate adds at most a few bytes per block to incompressible data.
  const size_t raw = static_cast<size_t>(image.rows) * (stride + 1);
  std::vector<uint8_t> file;
  file.reserve(raw + raw / 128 + 4096);
  ErrorJump jump;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &jump, on_error, on_warning);
  png_infop info = png == nullptr ? nullptr : png_create_info_struct(png);
  if (info == nullptr) {
    png_destroy_write_struct(&png, nullptr);
    fail(ExitCode::kDevice, "out of memory while writing a PNG");
  }
  const bool done = try_steps(jump.escape, [&] {
    png_set_write_fn(
        png, &file,
        [](png_structp writer, png_bytep from, size_t count) {
          auto& output = *static_cast<std::vector<uint8_t>*>(png_get_io_ptr(writer));
          if (output.size() + count > output.capacity()) png_error(writer, "output too large");
          output.insert(output.end(), from, from + count);
        },
        nullptr);
    png_set_IHDR(png, info, static_cast<png_uint_32>(image.cols),
                 static_cast<png_uint_32>(image.rows), 8,
                 image.channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_set_filter(png, 0, PNG_ALL_FILTERS);
    png_write_info(png, info);
    for (size_t row = 0; row < static_cast<size_t>(image.rows); ++row) {
      png_write_row(png, image.pixels.data() + row * stride);
    }
    png_write_end(png, nullptr);
  });
  png_destroy_write_struct(&png, &info);
  if (!done) fail(ExitCode::kData, "cannot write PNG: {}", jump.reason.data());
  return file;
}

void write_png(const std::filesystem::path& path, const Image& image) {
  const std::vector<uint8_t> file = encode_png(image);
  write_file_durably(path, {reinterpret_cast<const char*>(file.data()), file.size()},
                     ExitCode::kUsage);
}

}  // namespace fcm::image
