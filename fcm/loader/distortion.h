// Photometric distortion of one picture: brightness, contrast, saturation and hue, each or not.
// mmsegmentation's PhotoMetricDistortion, to the bit; draws are keyed, or given.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "fcm/base/random.h"

namespace fcm::loader {

// What is done to a picture, in this order; contrast before saturation or behind hue.
struct Distortion {
  std::optional<double> brightness = {};  // added, -32 to 32
  bool contrast_first = false;
  std::optional<double> contrast = {}, saturation = {};  // factors, 0.5 to 1.5
  std::optional<int> hue = {};                           // added, -18 to 17 of 180
};

// Draws in the published order: a fair coin before each value, and one for the place of contrast.
Distortion draw_distortion(KeyedRandom& random);

// In place on RGB bytes. Every step cuts to 0 .. 255 and truncates.
void distort(const Distortion& distortion, uint8_t* rgb_N3, int64_t pixels);

// What each byte becomes when multiplied and added to, in float32, cut to 0 .. 255 and truncated.
std::array<uint8_t, 256> scaled_bytes(double factor, double added);

}  // namespace fcm::loader
