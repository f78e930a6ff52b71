#include "fcm/image/augment.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/image/colour.h"

namespace fcm::image {
namespace {

using Table = std::array<uint8_t, 256>;
using Histogram = std::array<int64_t, 256>;

// Applies table_of(channel) to every channel.
template <class TableOf>
void look_up(Image& image, const TableOf& table_of) {
  const auto channels = static_cast<size_t>(image.channels);
  for (size_t channel = 0; channel < channels; ++channel) {
    const Table table = table_of(channel);
    for (size_t i = channel; i < image.pixels.size(); i += channels) {
      image.pixels[i] = table[image.pixels[i]];
    }
  }
}

template <class Value>
void map_values(Image& image, const Value& value) {
  look_up(image, [&](size_t) {
    Table table;
    for (int i = 0; i < 256; ++i) table[static_cast<size_t>(i)] = static_cast<uint8_t>(value(i));
    return table;
  });
}

Histogram histogram(const Image& image, size_t channel) {
  Histogram counts{};
  for (size_t i = channel; i < image.pixels.size(); i += static_cast<size_t>(image.channels)) {
    ++counts[image.pixels[i]];
  }
  return counts;
}

Table identity() {
  Table table;
  std::iota(table.begin(), table.end(), uint8_t{0});
  return table;
}

Table contrast_table(const Histogram& counts) {
  size_t low = 0, high = 255;
  while (low < 255 && counts[low] == 0) ++low;
  while (high > 0 && counts[high] == 0) --high;
  if (high <= low) return identity();
  const double scale = 255.0 / static_cast<double>(high - low);
  const double offset = -static_cast<double>(low) * scale;
  Table table;
  for (size_t i = 0; i < 256; ++i) {
    const int value = static_cast<int>(static_cast<double>(i) * scale + offset);
    table[i] = static_cast<uint8_t>(std::clamp(value, 0, 255));
  }
  return table;
}

Table equalize_table(const Histogram& counts) {
  size_t last = 255;
  while (last > 0 && counts[last] == 0) --last;
  const int64_t others = std::accumulate(counts.begin(), counts.end(), int64_t{0}) - counts[last];
  const int64_t step = others / 255;
  if (step == 0) return identity();
  Table table;
  int64_t seen = step / 2;
  for (size_t i = 0; i < 256; ++i) {
    table[i] = static_cast<uint8_t>(std::min<int64_t>(seen / step, 255));
    seen += counts[i];
  }
  return table;
}

// image = from + factor (image - from), in float, truncated, as in Pillow's blend.
void blend(Image& image, const std::vector<uint8_t>& from, double factor) {
  const auto alpha = static_cast<float>(factor);
  for (size_t i = 0; i < image.pixels.size(); ++i) {
    const int start = from[i];
    const float value =
        static_cast<float>(start) + alpha * static_cast<float>(image.pixels[i] - start);
    image.pixels[i] = static_cast<uint8_t>(std::clamp(value, 0.0F, 255.0F));
  }
}

// Pillow's SMOOTH: 3x3 weights of 5 (centre) and 1, divided by 13; the border is unchanged. Float
// sums run from the row below upwards, which determines the last bit.
std::vector<uint8_t> smoothed(const Image& image) {
  std::vector<uint8_t> result = image.pixels;
  constexpr float kSide = 1.0F / 13, kMiddle = 5.0F / 13;
  const int64_t step = image.channels, row_bytes = image.cols * step;
  for (int64_t row = 1; row < image.rows - 1; ++row) {
    for (int64_t i = row * row_bytes + step; i < (row + 1) * row_bytes - step; ++i) {
      const auto three = [&](int64_t middle, float weight) {
        const auto at = [&](int64_t k) {
          return static_cast<float>(image.pixels[static_cast<size_t>(k)]);
        };
        return at(middle - step) * kSide + at(middle) * weight + at(middle + step) * kSide;
      };
      float sum = 0.5F;
      sum += three(i + row_bytes, kSide);
      sum += three(i, kMiddle);
      sum += three(i - row_bytes, kSide);
      result[static_cast<size_t>(i)] = static_cast<uint8_t>(std::clamp(sum, 0.0F, 255.0F));
    }
  }
  return result;
}

}  // namespace

void autocontrast(Image& image) {
  look_up(image, [&](size_t channel) { return contrast_table(histogram(image, channel)); });
}

void equalize(Image& image) {
  look_up(image, [&](size_t channel) { return equalize_table(histogram(image, channel)); });
}

void invert(Image& image) {
  map_values(image, [](int value) { return 255 - value; });
}

void posterize(Image& image, int bits) {
  require(bits >= 0 && bits <= 8, "posterize: expected 0 to 8 bits, got {}", bits);
  map_values(image, [&](int value) { return value & ~((1 << (8 - bits)) - 1); });
}

void solarize(Image& image, int threshold) {
  map_values(image, [&](int value) { return value < threshold ? value : 255 - value; });
}

void solarize_add(Image& image, int add, int below) {
  map_values(image,
             [&](int value) { return value < below ? std::clamp(value + add, 0, 255) : value; });
}

void change_color(Image& image, double factor) {
  const Image grey = with_channels(with_channels(image, 1), image.channels);
  blend(image, grey.pixels, factor);
}

void change_contrast(Image& image, double factor) {
  const Image grey = with_channels(image, 1);
  const double sum = std::accumulate(grey.pixels.begin(), grey.pixels.end(), 0.0);
  const auto mean = static_cast<uint8_t>(sum / static_cast<double>(grey.pixels.size()) + 0.5);
  blend(image, std::vector<uint8_t>(image.pixels.size(), mean), factor);
}

void change_brightness(Image& image, double factor) {
  blend(image, std::vector<uint8_t>(image.pixels.size(), 0), factor);
}

void change_sharpness(Image& image, double factor) { blend(image, smoothed(image), factor); }

}  // namespace fcm::image
