#include <webp/decode.h>
#include <webp/demux.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "fcm/base/error.h"
#include "fcm/image/codecs.h"

namespace fcm::image {
namespace {

const char* reason_of(VP8StatusCode status) {
  switch (status) {
    case VP8_STATUS_NOT_ENOUGH_DATA:
      return "premature end of file";
    case VP8_STATUS_UNSUPPORTED_FEATURE:
      return "a feature that libwebp does not know";
    default:
      return "the compressed data are inconsistent";
  }
}

void need(VP8StatusCode status) {
  if (status == VP8_STATUS_OK) return;
  if (status == VP8_STATUS_OUT_OF_MEMORY) {
    fail(ExitCode::kDevice, "out of memory while decoding a WebP");
  }
  fail(ExitCode::kData, "damaged WebP: {}", reason_of(status));
}

// libwebp accepts a truncated file if it does not need the missing bytes.
void need_whole_file(std::span<const uint8_t> bytes) {
  const uint64_t claimed = bytes[4] | bytes[5] << 8 | bytes[6] << 16 | uint64_t{bytes[7]} << 24;
  if (claimed + 8 > bytes.size()) {
    fail(ExitCode::kData, "damaged WebP: premature end of file ({} of {} bytes)", bytes.size(),
         claimed + 8);
  }
}

// The box and the neighbours that colour upsampling reads. The result begins at an even row and
// column, since lossy files store colour at half the resolution.
Box with_margin(const Box& box, int64_t rows, int64_t cols) {
  constexpr int64_t kMargin = 4;
  const int64_t top = std::max<int64_t>(box.top - kMargin, 0) & ~int64_t{1};
  const int64_t left = std::max<int64_t>(box.left - kMargin, 0) & ~int64_t{1};
  return {top, left, std::min(box.top + box.rows + kMargin, rows) - top,
          std::min(box.left + box.cols + kMargin, cols) - left};
}

struct FreeDemuxer {
  void operator()(WebPDemuxer* demuxer) const { WebPDemuxDelete(demuxer); }
};
struct Frame : WebPIterator {
  Frame() : WebPIterator{} {}
  ~Frame() { WebPDemuxReleaseIterator(this); }
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;
};

// The first frame on its canvas, which is black outside the frame.
Image first_frame(std::span<const uint8_t> bytes, int64_t rows, int64_t cols) {
  const WebPData data{bytes.data(), bytes.size()};
  const std::unique_ptr<WebPDemuxer, FreeDemuxer> demuxer(WebPDemux(&data));
  Frame frame;
  if (!demuxer || WebPDemuxGetFrame(demuxer.get(), 1, &frame) == 0) {
    fail(ExitCode::kData, "damaged WebP: an animation without a first frame");
  }
  Image canvas{rows, cols, 3, {}};
  canvas.pixels.resize(static_cast<size_t>(rows * cols * 3));
  if (frame.x_offset < 0 || frame.y_offset < 0 || frame.width < 1 || frame.height < 1 ||
      frame.x_offset + frame.width > cols || frame.y_offset + frame.height > rows) {
    fail(ExitCode::kData, "damaged WebP: a frame beyond the canvas");
  }
  const int64_t begin = (frame.y_offset * cols + frame.x_offset) * 3;
  WebPDecoderConfig config;
  require(WebPInitDecoderConfig(&config) != 0, "libwebp is older than its headers");
  need(WebPGetFeatures(frame.fragment.bytes, frame.fragment.size, &config.input));
  if (config.input.width != frame.width || config.input.height != frame.height) {
    fail(ExitCode::kData, "damaged WebP: a frame's size differs from its header");
  }
  config.output.colorspace = MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA = {canvas.pixels.data() + begin, static_cast<int>(cols * 3),
                          canvas.pixels.size() - static_cast<size_t>(begin)};
  const VP8StatusCode status = WebPDecode(frame.fragment.bytes, frame.fragment.size, &config);
  WebPFreeDecBuffer(&config.output);
  need(status);
  return canvas;
}

}  // namespace

bool is_webp(std::span<const uint8_t> bytes) {
  return bytes.size() >= 12 && std::memcmp(bytes.data(), "RIFF", 4) == 0 &&
         std::memcmp(bytes.data() + 8, "WEBP", 4) == 0;
}

Section decode_webp(std::span<const uint8_t> bytes, const ChooseBox& choose,
                    const DecodeLimits& limits) {
  WebPDecoderConfig config;
  require(WebPInitDecoderConfig(&config) != 0, "libwebp is older than its headers");
  need(WebPGetFeatures(bytes.data(), bytes.size(), &config.input));
  need_whole_file(bytes);
  const int64_t rows = config.input.height, cols = config.input.width;
  check_size(rows, cols, limits);
  if (config.input.has_animation != 0) {
    const Box box = choose(rows, cols);
    check_inside(box, rows, cols);
    return {first_frame(bytes, rows, cols), box};
  }

  const Box box = choose(rows, cols);
  check_inside(box, rows, cols);
  const Box wanted = with_margin(box, rows, cols);
  Section section{{wanted.rows, wanted.cols, 3, {}},
                  {box.top - wanted.top, box.left - wanted.left, box.rows, box.cols}};
  std::vector<uint8_t>& pixels = section.image.pixels;
  pixels.resize(static_cast<size_t>(wanted.rows * wanted.cols * 3));
  config.options.use_cropping = 1;
  config.options.crop_top = static_cast<int>(wanted.top);
  config.options.crop_left = static_cast<int>(wanted.left);
  config.options.crop_height = static_cast<int>(wanted.rows);
  config.options.crop_width = static_cast<int>(wanted.cols);
  config.output.colorspace = MODE_RGB;  // alpha is dropped without blending
  config.output.is_external_memory = 1;
  config.output.u.RGBA = {pixels.data(), static_cast<int>(wanted.cols * 3), pixels.size()};
  const VP8StatusCode status = WebPDecode(bytes.data(), bytes.size(), &config);
  WebPFreeDecBuffer(&config.output);
  need(status);
  return section;
}

}  // namespace fcm::image
