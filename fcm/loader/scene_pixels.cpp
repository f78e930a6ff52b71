#include "fcm/loader/scene_pixels.h"

#include <array>

#include "fcm/base/error.h"

namespace fcm::loader {
namespace {

// Normalised value of each byte, per channel.
using NormalisedBytes = std::array<std::array<float, 256>, 3>;

NormalisedBytes normalised_bytes(const DataOptions& options, int64_t channels) {
  require(channels == 3 && options.mean.size() == 3 && options.stddev.size() == 3,
          "normalised_scene_pixels: got {} channels, {} means and {} stds, expected 3 each",
          channels, options.mean.size(), options.stddev.size());
  NormalisedBytes table{};
  for (size_t c = 0; c < table.size(); ++c) {
    const auto mean = static_cast<float>(255 * options.mean[c]);
    const double inverse = 1.0 / static_cast<float>(255 * options.stddev[c]);
    for (size_t value = 0; value < table[c].size(); ++value) {
      const float centred = static_cast<float>(value) - mean;
      table[c][value] = static_cast<float>(centred * inverse);
    }
  }
  return table;
}

void normalise_row(const NormalisedBytes& table, const uint8_t* bytes, int64_t pixels, float* out) {
  for (int64_t i = 0; i < pixels; ++i, bytes += 3, out += 3) {
    for (size_t c = 0; c < 3; ++c) out[c] = table[c][bytes[c]];
  }
}

}  // namespace

std::vector<float> normalised_scene_pixels(const Batch& batch, const DataOptions& options) {
  const NormalisedBytes table = normalised_bytes(options, batch.channels);
  require(std::ssize(batch.extents) == batch.batch,
          "normalised_scene_pixels: {} extents for {} images: the batch holds no scenes",
          batch.extents.size(), batch.batch);
  std::vector<float> pixels_BHWC(batch.pixels_BHWC.size());
  const int64_t stride = batch.cols * batch.channels;
  for (int64_t i = 0; i < batch.batch; ++i) {
    const Extent extent = batch.extents[static_cast<size_t>(i)];
    for (int64_t row = 0; row < extent.rows; ++row) {
      const int64_t at = (i * batch.rows + row) * stride;
      normalise_row(table, batch.pixels_BHWC.data() + at, extent.cols, pixels_BHWC.data() + at);
    }
  }
  return pixels_BHWC;
}

std::vector<float> normalised_scene_pixels(const image::Image& image, const DataOptions& options) {
  const NormalisedBytes table = normalised_bytes(options, image.channels);
  std::vector<float> pixels_HWC(image.pixels.size());
  normalise_row(table, image.pixels.data(), image.rows * image.cols, pixels_HWC.data());
  return pixels_HWC;
}

}  // namespace fcm::loader
