// Figures that the synthetic data sets draw.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

#include "fcm/base/random.h"

namespace fcm::loader {

// The seed is fixed, so that the synthetic sets are the same in every run.
inline constexpr uint64_t kSyntheticSeed = 20230101;

// Parameters of one drawn figure, in units of half the image's side.
struct Drawing {
  float row, col;  // centre of the shape, relative to the centre of the image
  float size;      // of the shape
  float period;    // of the grating
};

inline float fraction(float value) { return value - std::floor(value); }

// A class of figures. `covers` tells whether the figure covers the point (down, right), which is
// relative to the shape's centre.
struct Figure {
  const char* name;
  bool (*covers)(float down, float right, const Drawing& drawing);
};

// Five gratings, then five shapes.
inline constexpr std::array<Figure, 10> kFigures{{
    {"rows", [](float d, float, const Drawing& g) { return fraction(d / g.period) < 0.5F; }},
    {"columns", [](float, float r, const Drawing& g) { return fraction(r / g.period) < 0.5F; }},
    {"diagonals",
     [](float d, float r, const Drawing& g) { return fraction((d + r) / g.period) < 0.5F; }},
    {"checkers",
     [](float d, float r, const Drawing& g) {
       return (fraction(d / g.period) < 0.5F) != (fraction(r / g.period) < 0.5F);
     }},
    {"rings",
     [](float d, float r, const Drawing& g) {
       return fraction(std::sqrt(d * d + r * r) / g.period) < 0.5F;
     }},
    {"disc", [](float d, float r, const Drawing& g) { return d * d + r * r < g.size * g.size; }},
    {"square",
     [](float d, float r, const Drawing& g) {
       return std::abs(d) < 0.85F * g.size && std::abs(r) < 0.85F * g.size;
     }},
    {"triangle",
     [](float d, float r, const Drawing& g) {
       return d < g.size && d > -g.size && std::abs(r) < 0.5F * (d + g.size);
     }},
    {"cross",
     [](float d, float r, const Drawing& g) {
       const float a = std::abs(d), b = std::abs(r);
       return a < g.size && b < g.size && (a < 0.3F * g.size || b < 0.3F * g.size);
     }},
    {"frame",
     [](float d, float r, const Drawing& g) {
       const float edge = std::max(std::abs(d), std::abs(r));
       return edge < g.size && edge > 0.6F * g.size;
     }},
}};

inline constexpr size_t kGratings = 5;

// A random colour with every channel in [low, low + 112).
inline std::array<uint8_t, 3> draw_colour(KeyedRandom& random, uint64_t low) {
  std::array<uint8_t, 3> colour;
  for (uint8_t& value : colour) value = static_cast<uint8_t>(low + random.below(112));
  return colour;
}

}  // namespace fcm::loader
