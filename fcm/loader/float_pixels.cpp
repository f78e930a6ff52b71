#include "fcm/loader/float_pixels.h"

#include <cmath>

#include "fcm/base/error.h"
#include "fcm/base/random.h"

namespace fcm::loader {
namespace {

// Draws up to ten boxes until one is smaller than the image in both directions; false if none is.
bool draw_box(int64_t rows, int64_t cols, KeyedRandom& random, image::Box& box) {
  const double limit = std::log(1 / 0.3);
  const auto area = static_cast<double>(rows * cols);
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double target = area * (0.02 + (1.0 / 3 - 0.02) * random.uniform_double());
    const double ratio = std::exp(limit * (2 * random.uniform_double() - 1));
    box.rows = static_cast<int64_t>(std::nearbyint(std::sqrt(target * ratio)));
    box.cols = static_cast<int64_t>(std::nearbyint(std::sqrt(target / ratio)));
    if (box.rows >= rows || box.cols >= cols) continue;
    box.top = static_cast<int64_t>(random.below(static_cast<uint64_t>(rows - box.rows + 1)));
    box.left = static_cast<int64_t>(random.below(static_cast<uint64_t>(cols - box.cols + 1)));
    return true;
  }
  return false;
}

}  // namespace

std::vector<float> normalised_pixels(const Batch& batch, const DataOptions& options) {
  const auto channels = static_cast<size_t>(batch.channels);
  require(
      options.mean.size() == channels && options.stddev.size() == channels,
      "normalised_pixels: expected a mean and std per channel, got {} channels, {} means and {} stds",
      channels, options.mean.size(), options.stddev.size());
  std::vector<float> table(channels * 256);
  for (size_t i = 0; i < table.size(); ++i) {
    const double value = static_cast<double>(i % 256) / 255.0;
    table[i] = static_cast<float>((value - options.mean[i / 256]) / options.stddev[i / 256]);
  }
  std::vector<float> pixels_BHWC(batch.pixels_BHWC.size());
  for (size_t i = 0; i < pixels_BHWC.size(); ++i) {
    pixels_BHWC[i] = table[i % channels * 256 + batch.pixels_BHWC[i]];
  }
  return pixels_BHWC;
}

void random_erase(const AugmentOptions& options, const Batch& batch, uint64_t seed,
                  float* pixels_BHWC) {
  const int64_t row_values = batch.cols * batch.channels;
  for (int64_t i = 0; i < batch.batch; ++i) {
    KeyedRandom random(seed, Purpose::kErasing, static_cast<uint64_t>(batch.epoch),
                       static_cast<uint64_t>(batch.sample_ids[static_cast<size_t>(i)]));
    image::Box box;
    if (random.uniform_double() >= options.erasing) continue;
    if (!draw_box(batch.rows, batch.cols, random, box)) continue;
    float* const image = pixels_BHWC + i * batch.rows * row_values;
    for (int64_t row = box.top; row < box.top + box.rows; ++row) {
      float* const values = image + row * row_values + box.left * batch.channels;
      for (int64_t k = 0; k < box.cols * batch.channels; ++k) {
        values[k] = static_cast<float>(random.normal());
      }
    }
  }
}

}  // namespace fcm::loader
