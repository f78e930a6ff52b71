// jpeglib.h needs stdio's types but does not include them.
#include <cstdio>
// clang-format off
#include <jpeglib.h>
#include <jerror.h>
// clang-format on

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "fcm/base/error.h"
#include "fcm/image/codecs.h"
#include "fcm/image/colour.h"
#include "fcm/image/escape.h"

namespace fcm::image {
namespace {

// Files with more scans are refused: encoders write far fewer, and each scan costs a pass over the
// whole image.
constexpr int kMaxScans = 500;

// Warnings after which libjpeg continues with invented pixels.
bool means_lost_pixels(int message) {
  return message == JWRN_JPEG_EOF || message == JWRN_HIT_MARKER || message == JWRN_HUFF_BAD_CODE ||
         message == JWRN_ARITH_BAD_CODE || message == JWRN_MUST_RESYNC;
}

// A decompressor with its error handling. Callbacks find it through cinfo->client_data.
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
      fail(ExitCode::kData, "JPEG with {} components in an unknown colour space",
           cinfo.num_components);
  }
}

// Reads rows of `stride` bytes until row `end` (exclusive).
void read_rows(jpeg_decompress_struct& cinfo, uint8_t* out, size_t stride, JDIMENSION end) {
  while (cinfo.output_scanline < end) {
    std::array<JSAMPROW, 16> rows;
    JDIMENSION count = 0;
    for (; count < rows.size() && cinfo.output_scanline + count < end; ++count) {
      rows[count] = out + count * stride;
    }
    out += jpeg_read_scanlines(&cinfo, rows.data(), count) * stride;
  }
}

// Whether a section can be decoded alone, bit-identical to that part of the whole image. With
// several scans libjpeg decodes everything before it returns the first row, so a section would save
// little; unusual subsampling and CMYK are too rare to be worth checking for identical bits.
bool can_decode_section(jpeg_decompress_struct& cinfo) {
  if (jpeg_has_multiple_scans(&cinfo) != 0 || cinfo.max_h_samp_factor > 2 ||
      cinfo.max_v_samp_factor > 2) {
    return false;
  }
  if (cinfo.num_components == 1) return true;
  if (cinfo.num_components != 3) return false;
  for (int i = 1; i < 3; ++i) {
    if (cinfo.comp_info[i].h_samp_factor != 1 || cinfo.comp_info[i].v_samp_factor != 1)
      return false;
  }
  return true;
}

// Columns to decode: the box and the neighbours that colour upsampling reads. With too few columns
// libjpeg would choose another upsampling, so a narrow box is decoded at full width.
Box with_margin(const Box& box, int64_t cols) {
  constexpr int64_t kMargin = 2, kFewest = 32;
  const int64_t left = std::max<int64_t>(box.left - kMargin, 0);
  const int64_t right = std::min(box.left + box.cols + kMargin, cols);
  if (right - left < kFewest) return {box.top, 0, box.rows, cols};
  return {box.top, left, box.rows, right - left};
}

}  // namespace

bool is_jpeg(std::span<const uint8_t> bytes) {
  return bytes.size() >= 3 && bytes[0] == 0xFF && bytes[1] == 0xD8 && bytes[2] == 0xFF;
}

Section decode_jpeg(std::span<const uint8_t> bytes, const ChooseBox& choose,
                    const DecodeLimits& limits) {
  Decompressor decompressor;
  decompressor.open(bytes);
  jpeg_decompress_struct& cinfo = decompressor.cinfo();
  const int64_t rows = cinfo.image_height, cols = cinfo.image_width;
  check_size(rows, cols, limits);
  cinfo.out_color_space = output_space(cinfo);
  cinfo.dct_method = JDCT_ISLOW;
  cinfo.do_fancy_upsampling = TRUE;

  const Box box = choose(rows, cols);
  check_inside(box, rows, cols);
  const Box wanted = can_decode_section(cinfo) ? with_margin(box, cols) : Box{0, 0, rows, cols};
  auto left = static_cast<JDIMENSION>(wanted.left), width = static_cast<JDIMENSION>(wanted.cols);
  decompressor.run([&] {
    jpeg_start_decompress(&cinfo);
    if (wanted.cols < cols) jpeg_crop_scanline(&cinfo, &left, &width);  // widens to whole blocks
  });

  const int64_t channels = cinfo.out_color_space == JCS_GRAYSCALE ? 1
                           : cinfo.out_color_space == JCS_CMYK    ? 4
                                                                  : 3;
  Section section{{wanted.rows, width, channels, {}},
                  {box.top - wanted.top, box.left - left, box.rows, box.cols}};
  Image& image = section.image;
  image.pixels.resize(static_cast<size_t>(wanted.rows * width * channels));
  uint8_t* const pixels = image.pixels.data();
  decompressor.run([&] {
    if (wanted.top > 0) jpeg_skip_scanlines(&cinfo, static_cast<JDIMENSION>(wanted.top));
    read_rows(cinfo, pixels, static_cast<size_t>(width * channels),
              static_cast<JDIMENSION>(wanted.top + wanted.rows));
    // Reads up to the end marker, so truncation is noticed if the last row was requested.
    if (cinfo.output_scanline == cinfo.output_height) jpeg_finish_decompress(&cinfo);
  });
  if (channels != 4) return section;
  Image rgb{image.rows, image.cols, 3, {}};
  rgb.pixels.resize(static_cast<size_t>(image.rows * image.cols * 3));
  rgb_from_inverted_cmyk(pixels, image.rows * image.cols, rgb.pixels.data());
  image = std::move(rgb);
  return section;
}

}  // namespace fcm::image
