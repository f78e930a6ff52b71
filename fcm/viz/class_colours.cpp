#include "fcm/viz/class_colours.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace fcm::viz {
namespace {

struct Oklab {
  double lightness = 0, a = 0, b = 0;
};

double linear_light(uint8_t byte) {
  const double value = byte / 255.0;
  return value <= 0.04045 ? value / 12.92 : std::pow((value + 0.055) / 1.055, 2.4);
}

Oklab oklab(Colour colour) {
  const double r = linear_light(colour[0]), g = linear_light(colour[1]),
               b = linear_light(colour[2]);
  const double l = std::cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const double m = std::cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const double s = std::cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return {0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s,
          1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s,
          0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s};
}

double oklab_distance(const Oklab& x, const Oklab& y) {
  return std::hypot(x.lightness - y.lightness, x.a - y.a, x.b - y.b);
}

struct Candidate {
  Colour colour;
  Oklab place;
  double nearest = std::numeric_limits<double>::infinity();  // distance to the nearest taken colour
};

// A grid of colours, without very dark and very light ones, whose hues are hard to tell apart, and
// without the most saturated ones.
std::vector<Candidate> candidates() {
  constexpr double kDarkest = 0.4, kLightest = 0.93, kMostChroma = 0.22;
  constexpr int kStep = 15;
  std::vector<Candidate> all;
  for (int r = 0; r < 256; r += kStep) {
    for (int g = 0; g < 256; g += kStep) {
      for (int b = 0; b < 256; b += kStep) {
        const Colour colour{static_cast<uint8_t>(r), static_cast<uint8_t>(g),
                            static_cast<uint8_t>(b)};
        const Oklab place = oklab(colour);
        if (place.lightness < kDarkest || place.lightness > kLightest) continue;
        if (std::hypot(place.a, place.b) > kMostChroma) continue;
        all.push_back({colour, place});
      }
    }
  }
  return all;
}

void take(std::vector<Candidate>& all, Colour taken) {
  const Oklab place = oklab(taken);
  for (Candidate& one : all) one.nearest = std::min(one.nearest, oklab_distance(one.place, place));
}

}  // namespace

double colour_distance(Colour a, Colour b) { return oklab_distance(oklab(a), oklab(b)); }

std::vector<Colour> class_colours(int64_t classes) {
  std::vector<Candidate> all = candidates();
  for (const Colour reserved : {Colour{0, 0, 0}, Colour{128, 128, 128}, Colour{255, 255, 255}}) {
    take(all, reserved);
  }
  std::vector<Colour> colours;
  while (std::ssize(colours) < classes) {
    const auto furthest = std::max_element(
        all.begin(), all.end(),
        [](const Candidate& a, const Candidate& b) { return a.nearest < b.nearest; });
    colours.push_back(furthest->colour);
    take(all, colours.back());
  }
  return colours;
}

}  // namespace fcm::viz
