#include "fcm/loader/distortion.h"

#include <algorithm>

#include "fcm/image/hsv.h"

namespace fcm::loader {
namespace {

void look_up_all(const std::array<uint8_t, 256>& table, uint8_t* bytes, int64_t count) {
  for (int64_t i = 0; i < count; ++i) bytes[i] = table[bytes[i]];
}

// Applies the table to one channel of every pixel.
void look_up_channel(const std::array<uint8_t, 256>& table, uint8_t* pixels_N3, int64_t channel,
                     int64_t pixels) {
  for (int64_t i = 0; i < pixels; ++i) {
    uint8_t& value = pixels_N3[i * 3 + channel];
    value = table[value];
  }
}

std::array<uint8_t, 256> rotated_hues(int by) {
  std::array<uint8_t, 256> table{};
  for (int hue = 0; hue < 256; ++hue) {
    table[static_cast<size_t>(hue)] = static_cast<uint8_t>((hue + by + 180) % 180);
  }
  return table;
}

// As upstream, each change converts to HSV and back separately; every round trip loses about half a
// level.
void change_in_hsv(const std::array<uint8_t, 256>& table, int64_t channel, uint8_t* rgb_N3,
                   int64_t pixels) {
  constexpr int64_t kBlock = 512;  // pixels; fits the L1 cache
  for (int64_t begin = 0; begin < pixels; begin += kBlock) {
    const int64_t count = std::min(kBlock, pixels - begin);
    uint8_t* const block = rgb_N3 + begin * 3;
    image::hsv_from_rgb(block, count);
    look_up_channel(table, block, channel, count);
    image::rgb_from_hsv(block, count);
  }
}

}  // namespace

Distortion draw_distortion(KeyedRandom& random) {
  const auto coin = [&] { return random.below(2) == 1; };
  const auto between = [&](double low, double high) {
    return low + (high - low) * random.uniform_double();
  };
  Distortion drawn;
  const auto draw_contrast = [&] {
    if (coin()) drawn.contrast = between(0.5, 1.5);
  };
  if (coin()) drawn.brightness = between(-32, 32);
  drawn.contrast_first = coin();
  if (drawn.contrast_first) draw_contrast();
  if (coin()) drawn.saturation = between(0.5, 1.5);
  if (coin()) drawn.hue = static_cast<int>(random.below(36)) - 18;
  if (!drawn.contrast_first) draw_contrast();
  return drawn;
}

std::array<uint8_t, 256> scaled_bytes(double factor, double added) {
  const auto multiplied = static_cast<float>(factor), shift = static_cast<float>(added);
  std::array<uint8_t, 256> table{};
  for (size_t i = 0; i < table.size(); ++i) {
    const float product = static_cast<float>(i) * multiplied;
    table[i] = static_cast<uint8_t>(std::clamp(product + shift, 0.0F, 255.0F));
  }
  return table;
}

void distort(const Distortion& distortion, uint8_t* rgb_N3, int64_t pixels) {
  const auto change_contrast = [&] {
    if (distortion.contrast) look_up_all(scaled_bytes(*distortion.contrast, 0), rgb_N3, pixels * 3);
  };
  if (distortion.brightness) {
    look_up_all(scaled_bytes(1, *distortion.brightness), rgb_N3, pixels * 3);
  }
  if (distortion.contrast_first) change_contrast();
  if (distortion.saturation) {
    change_in_hsv(scaled_bytes(*distortion.saturation, 0), 1, rgb_N3, pixels);
  }
  if (distortion.hue) change_in_hsv(rotated_hues(*distortion.hue), 0, rgb_N3, pixels);
  if (!distortion.contrast_first) change_contrast();
}

}  // namespace fcm::loader
