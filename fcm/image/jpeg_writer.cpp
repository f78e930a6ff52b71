#include "fcm/image/jpeg_writer.h"

// jpeglib.h needs stdio's types but does not include them.
#include <cstdio>
// clang-format off
#include <jpeglib.h>
// clang-format on

#include <array>
#include <cstdlib>

#include "fcm/base/error.h"
#include "fcm/image/escape.h"

namespace fcm::image {
namespace {

// A compressor with its error handling and output memory.
class Compressor {
 public:
  Compressor() {
    cinfo_.err = jpeg_std_error(&errors_);
    errors_.error_exit = [](j_common_ptr cinfo) {
      auto& self = *static_cast<Compressor*>(cinfo->client_data);
      self.errors_.format_message(cinfo, self.reason_.data());
      std::longjmp(self.escape_, 1);
    };
    errors_.output_message = [](j_common_ptr) {};
    cinfo_.client_data = this;
  }
  ~Compressor() {
    jpeg_destroy_compress(&cinfo_);
    std::free(bytes_);  // libjpeg allocates it with malloc
  }
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;

  std::string encode(const Image& image, int quality) {
    const auto stride = static_cast<size_t>(image.cols * image.channels);
    const bool done = try_steps(escape_, [&] {
      jpeg_create_compress(&cinfo_);
      jpeg_mem_dest(&cinfo_, &bytes_, &size_);
      cinfo_.image_width = static_cast<JDIMENSION>(image.cols);
      cinfo_.image_height = static_cast<JDIMENSION>(image.rows);
      cinfo_.input_components = static_cast<int>(image.channels);
      cinfo_.in_color_space = image.channels == 3 ? JCS_RGB : JCS_GRAYSCALE;
      jpeg_set_defaults(&cinfo_);
      jpeg_set_quality(&cinfo_, quality, TRUE);
      jpeg_start_compress(&cinfo_, TRUE);
      while (cinfo_.next_scanline < cinfo_.image_height) {
        // libjpeg's interface lacks const, but libjpeg only reads the row.
        auto* row = const_cast<JSAMPROW>(image.pixels.data() + cinfo_.next_scanline * stride);
        jpeg_write_scanlines(&cinfo_, &row, 1);
      }
      jpeg_finish_compress(&cinfo_);
    });
    if (!done) fail(ExitCode::kData, "cannot write as JPEG: {}", reason_.data());
    return {reinterpret_cast<const char*>(bytes_), size_};
  }

 private:
  jpeg_compress_struct cinfo_{};
  jpeg_error_mgr errors_{};
  std::jmp_buf escape_{};
  std::array<char, JMSG_LENGTH_MAX> reason_{};
  unsigned char* bytes_ = nullptr;
  unsigned long size_ = 0;
};

}  // namespace

std::string encode_jpeg(const Image& image, int quality) {
  require(image.channels == 1 || image.channels == 3,
          "encode_jpeg: expected 1 or 3 channels, got {}", image.channels);
  return Compressor().encode(image, quality);
}

}  // namespace fcm::image
