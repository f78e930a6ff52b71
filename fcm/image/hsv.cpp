#include "fcm/image/hsv.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace fcm::image {
namespace {

constexpr int kShift = 12;  // fixed-point bits of the division tables

struct Divisions {
  std::array<int32_t, 256> by_value;       // saturation: 255 / v
  std::array<int32_t, 256> by_difference;  // hue: 180 / (6 d)
};

const Divisions& divisions() {
  static const Divisions tables = [] {
    Divisions made{};  // entry 0 stays 0: no division by zero
    for (int i = 1; i < 256; ++i) {
      const auto place = static_cast<size_t>(i);
      made.by_value[place] = static_cast<int32_t>(std::lrint(255.0 * (1 << kShift) / i));
      made.by_difference[place] =
          static_cast<int32_t>(std::lrint(180.0 * (1 << kShift) / (6.0 * i)));
    }
    return made;
  }();
  return tables;
}

int divided(int number, int32_t by) { return (number * by + (1 << (kShift - 1))) >> kShift; }

// The part of the conversion that depends only on the hue.
struct Sextant {
  float within;      // fraction within the sextant, 0 to 1
  uint8_t place[3];  // index of R, G and B in `levels` (value, p, q, t)
};

// The compiler must not fuse the float operations here and below into multiply-adds: one in 7000
// results would differ.
const std::array<Sextant, 180>& sextants() {
  static const std::array<Sextant, 180> table = [] {
    constexpr uint8_t kPlaces[6][3] = {{0, 3, 1}, {2, 0, 1}, {1, 0, 3},
                                       {1, 2, 0}, {3, 1, 0}, {0, 1, 2}};
    std::array<Sextant, 180> made{};
    for (int hue = 0; hue < 180; ++hue) {
      const float at = static_cast<float>(hue) * (6.0F / 180.0F);
      const float whole = std::floor(at);
      Sextant& sextant = made[static_cast<size_t>(hue)];
      sextant.within = at - whole;
      std::copy_n(kPlaces[static_cast<int>(whole) % 6], 3, sextant.place);
    }
    return made;
  }();
  return table;
}

}  // namespace

void hsv_from_rgb(uint8_t* pixel, int64_t pixels) {
  const Divisions& tables = divisions();
  for (int64_t i = 0; i < pixels; ++i, pixel += 3) {
    const int r = pixel[0], g = pixel[1], b = pixel[2];
    const int value = std::max({r, g, b}), difference = value - std::min({r, g, b});
    const int hue_numerator = value == r   ? g - b
                              : value == g ? b - r + 2 * difference
                                           : r - g + 4 * difference;
    const int hue = divided(hue_numerator, tables.by_difference[static_cast<size_t>(difference)]);
    pixel[0] = static_cast<uint8_t>(hue < 0 ? hue + 180 : hue);
    pixel[1] =
        static_cast<uint8_t>(divided(difference, tables.by_value[static_cast<size_t>(value)]));
    pixel[2] = static_cast<uint8_t>(value);
  }
}

void rgb_from_hsv(uint8_t* pixel, int64_t pixels) {
  const std::array<Sextant, 180>& hues = sextants();
  for (int64_t i = 0; i < pixels; ++i, pixel += 3) {
    const Sextant& hue = hues[pixel[0]];
    const float saturation = static_cast<float>(pixel[1]) * (1.0F / 255.0F);
    const float value = static_cast<float>(pixel[2]) * (1.0F / 255.0F);
    const float levels[4] = {value, value * (1.0F - saturation),
                             value * (1.0F - saturation * hue.within),
                             value * (1.0F - saturation * (1.0F - hue.within))};
    uint8_t bytes[4];
    for (int k = 0; k < 4; ++k) {
      bytes[k] = static_cast<uint8_t>(static_cast<int>(levels[k] * 255.0F));
    }
    for (int c = 0; c < 3; ++c) pixel[c] = bytes[hue.place[c]];
  }
}

}  // namespace fcm::image
