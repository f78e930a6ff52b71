// jpeglib.h needs stdio's types but does not include them.
#include <cstdio>
// clang-format off
#include <jpeglib.h>
#include <jerror.h>
// clang-format on

#include <array>
#include <cstring>
#include <string>

#include "fcm/base/error.h"
#include "fcm/image/codecs.h"
#include "fcm/image/colour.h"
#include "fcm/image/escape.h"

namespace fcm::image {
namespace {

// No sound encoder writes that many scans; each costs a pass over the whole picture.
constexpr int kMaxScans = 500;

// Warnings after which libjpeg goes on with invented pixels.
bool means_lost_pixels(int message) {
  return message == JWRN_JPEG_EOF || message == JWRN_HIT_MARKER || message == JWRN_HUFF_BAD_CODE ||
         message == JWRN_ARITH_BAD_CODE || message == JWRN_MUST_RESYNC;
}

// One decompressor with its error handling. Callbacks find it through cinfo->client_data.
class Decompressor {
 public:
  Decompressor() {
    cinfo_.err = jpeg_std_error(&errors_);
    errors_.error_exit = [](j_common_ptr cinfo) { of(cinfo).leave(); };
    errors_.emit_message = [](j_common_ptr cinfo, int level) {
      if (level < 0 && means_lost_pixels(cinfo->err->msg_code)) of(cinfo).leave();
    };
    errors_.output_message = [](j_common_ptr) {};
    cinfo_.client_data = this;
    progress_.progress_monitor = [](j_common_ptr cinfo) {
      Decompressor& self = of(cinfo);
      if (self.cinfo_.input_scan_number <= kMaxScans) return;
      std::strcpy(self.reason_.data(), "more than 500 scans");
      std::longjmp(self.escape_, 1);
    };
  }
  ~Decompressor() { jpeg_destroy_decompress(&cinfo_); }
  Decompressor(const Decompressor&) = delete;
  Decompressor& operator=(const Decompressor&) = delete;

  template <class Steps>
  void run(const Steps& steps) {
    if (!try_steps(escape_, steps)) {
      fail(ExitCode::kData, "damaged JPEG: {}", reason_.data());
    }
  }

  void open(std::span<const uint8_t> bytes) {
    run([&] {
      jpeg_create_decompress(&cinfo_);
      cinfo_.progress = &progress_;
      jpeg_mem_src(&cinfo_, bytes.data(), static_cast<unsigned long>(bytes.size()));
      jpeg_read_header(&cinfo_, TRUE);
    });
  }

  jpeg_decompress_struct& cinfo() { return cinfo_; }

 private:
  static Decompressor& of(j_common_ptr cinfo) {
    return *static_cast<Decompressor*>(cinfo->client_data);
  }
  [[noreturn]] void leave() {
    errors_.format_message(reinterpret_cast<j_common_ptr>(&cinfo_), reason_.data());
    std::longjmp(escape_, 1);
  }

  jpeg_decompress_struct cinfo_{};
  jpeg_error_mgr errors_{};
  jpeg_progress_mgr progress_{};
  std::jmp_buf escape_{};
  std::array<char, JMSG_LENGTH_MAX> reason_{};
};

J_COLOR_SPACE output_space(const jpeg_decompress_struct& cinfo) {
  switch (cinfo.jpeg_color_space) {
    case JCS_GRAYSCALE:
      return JCS_GRAYSCALE;
    case JCS_RGB:
    case JCS_YCbCr:
      return JCS_RGB;
    case JCS_CMYK:
    case JCS_YCCK:
      return JCS_CMYK;
    default:
      fail(ExitCode::kData, "JPEG with {} components of unknown meaning", cinfo.num_components);
  }
}

// Rows of `stride` bytes from `first`, until the picture is complete.
void read_rows(jpeg_decompress_struct& cinfo, uint8_t* first, size_t stride) {
  while (cinfo.output_scanline < cinfo.output_height) {
    std::array<JSAMPROW, 16> rows;
    for (size_t i = 0; i < rows.size(); ++i) {
      rows[i] = first + (cinfo.output_scanline + i) * stride;  // libjpeg stops at the last row
    }
    jpeg_read_scanlines(&cinfo, rows.data(), static_cast<JDIMENSION>(rows.size()));
  }
}

}  // namespace

bool is_jpeg(std::span<const uint8_t> bytes) {
  return bytes.size() >= 3 && bytes[0] == 0xFF && bytes[1] == 0xD8 && bytes[2] == 0xFF;
}

Image decode_jpeg(std::span<const uint8_t> bytes, const DecodeLimits& limits) {
  Decompressor decompressor;
  decompressor.open(bytes);
  jpeg_decompress_struct& cinfo = decompressor.cinfo();
  const int64_t rows = cinfo.image_height, cols = cinfo.image_width;
  check_size(rows, cols, limits);
  cinfo.out_color_space = output_space(cinfo);
  cinfo.dct_method = JDCT_ISLOW;
  cinfo.do_fancy_upsampling = TRUE;

  const int64_t channels = cinfo.out_color_space == JCS_GRAYSCALE ? 1
                           : cinfo.out_color_space == JCS_CMYK    ? 4
                                                                  : 3;
  Image picture{rows, cols, channels, {}};
  picture.pixels.resize(static_cast<size_t>(rows * cols * channels));
  uint8_t* const pixels = picture.pixels.data();
  decompressor.run([&] {
    jpeg_start_decompress(&cinfo);
    read_rows(cinfo, pixels, static_cast<size_t>(cols * channels));
    jpeg_finish_decompress(&cinfo);  // reads on to the end marker, so a cut tail is noticed
  });
  if (channels != 4) return picture;
  Image rgb{rows, cols, 3, {}};
  rgb.pixels.resize(static_cast<size_t>(rows * cols * 3));
  rgb_from_inverted_cmyk(pixels, rows * cols, rgb.pixels.data());
  return rgb;
}

}  // namespace fcm::image
