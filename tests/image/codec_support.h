// Encodes small JPEG and WebP files for tests.
#pragma once

#include <cstdio>
// clang-format off
#include <jpeglib.h>
// clang-format on
#include <webp/encode.h>

#include <cstdlib>

#include "tests/image/support.h"

namespace fcm::test {

// An image of gradients with some texture. It compresses well, and its edges exercise all filters.
inline image::Image scene(int64_t rows, int64_t cols, uint32_t seed = 1) {
  image::Image image = pattern(rows, cols, 3, seed);
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t col = 0; col < cols; ++col) {
      for (int64_t c = 0; c < 3; ++c) {
        uint8_t& pixel = image.pixels[static_cast<size_t>((row * cols + col) * 3 + c)];
        const int64_t slope = (row * (3 + c) + col * (5 - c)) % 200;
        const int64_t edge = (row / 11 + col / 7) % 2 * 40;
        pixel = static_cast<uint8_t>(slope + edge + pixel % 16);
      }
    }
  }
  return image;
}

inline std::vector<uint8_t> encode_jpeg(image::Image image, int quality = 80) {
  jpeg_error_mgr errors{};
  jpeg_compress_struct cinfo{};
  cinfo.err = jpeg_std_error(&errors);
  jpeg_create_compress(&cinfo);
  unsigned char* memory = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&cinfo, &memory, &size);
  cinfo.image_width = static_cast<JDIMENSION>(image.cols);
  cinfo.image_height = static_cast<JDIMENSION>(image.rows);
  cinfo.input_components = 3;
  cinfo.in_color_space = JCS_RGB;
  jpeg_set_defaults(&cinfo);  // 4:2:0 subsampling
  jpeg_set_quality(&cinfo, quality, TRUE);
  jpeg_start_compress(&cinfo, TRUE);
  while (cinfo.next_scanline < cinfo.image_height) {
    JSAMPROW row = image.pixels.data() + int64_t{cinfo.next_scanline} * image.cols * 3;
    jpeg_write_scanlines(&cinfo, &row, 1);
  }
  jpeg_finish_compress(&cinfo);
  jpeg_destroy_compress(&cinfo);
  std::vector<uint8_t> bytes(memory, memory + size);
  std::free(memory);
  return bytes;
}

struct WebpSettings {
  bool lossless = false;
  float quality = 75;
  int filter_strength = 60;
  int filter_type = 1;  // 0: simple, 1: strong
  int partitions = 0;   // 2^partitions partitions
};

// `alpha`: empty, or one byte per pixel.
inline std::vector<uint8_t> encode_webp(const image::Image& image,
                                        const WebpSettings& settings = {},
                                        const std::vector<uint8_t>& alpha = {}) {
  WebPConfig config;
  WebPPicture source;
  WebPMemoryWriter writer;
  EXPECT_TRUE(WebPConfigInit(&config) && WebPPictureInit(&source));
  WebPMemoryWriterInit(&writer);
  config.lossless = settings.lossless;
  config.quality = settings.quality;
  config.filter_strength = settings.filter_strength;
  config.filter_type = settings.filter_type;
  config.partitions = settings.partitions;
  config.exact = 1;  // keep the colours of transparent pixels
  source.use_argb = settings.lossless;
  source.width = static_cast<int>(image.cols);
  source.height = static_cast<int>(image.rows);
  source.writer = WebPMemoryWrite;
  source.custom_ptr = &writer;
  if (alpha.empty()) {
    WebPPictureImportRGB(&source, image.pixels.data(), source.width * 3);
  } else {
    std::vector<uint8_t> rgba;
    for (size_t i = 0; i < alpha.size(); ++i) {
      const auto pixel = image.pixels.begin() + static_cast<ptrdiff_t>(3 * i);
      rgba.insert(rgba.end(), pixel, pixel + 3);
      rgba.push_back(alpha[i]);
    }
    WebPPictureImportRGBA(&source, rgba.data(), source.width * 4);
  }
  EXPECT_TRUE(WebPEncode(&config, &source));
  std::vector<uint8_t> bytes(writer.mem, writer.mem + writer.size);
  WebPMemoryWriterClear(&writer);
  WebPPictureFree(&source);
  return bytes;
}

}  // namespace fcm::test
