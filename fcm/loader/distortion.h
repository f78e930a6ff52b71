// Photometric distortion of one image: optional changes of brightness, contrast, saturation and
// hue. Bit-identical to mmsegmentation's PhotoMetricDistortion for the same random numbers, which
// draw_distortion draws by key.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "fcm/base/random.h"

namespace fcm::loader {

// The changes, in the order in which they are applied; contrast comes before saturation
// (contrast_first) or after hue. An empty optional: no such change.
struct Distortion {
  std::optional<double> brightness = {};  // added, -32 to 32
  bool contrast_first = false;
  std::optional<double> contrast = {}, saturation = {};  // factors, 0.5 to 1.5
  std::optional<int> hue = {};                           // added, -18 to 17 of 180
};

// Draws in upstream's order. A fair coin decides whether each change is made, and one decides the
// position of contrast.
Distortion draw_distortion(KeyedRandom& random);

// In place on RGB bytes [pixels, 3]. Changes of brightness, contrast and saturation clamp to 0 ..
// 255 and truncate; a change of hue wraps around.
void distort(const Distortion& distortion, uint8_t* rgb_N3, int64_t pixels);

// Lookup table of byte * factor + added, in float32, clamped to 0 .. 255 and truncated.
std::array<uint8_t, 256> scaled_bytes(double factor, double added);

}  // namespace fcm::loader
