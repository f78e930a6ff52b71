// Augments one image after crop and flip, still in bytes: RandAugment or colour jitter.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "fcm/image/image.h"
#include "fcm/loader/options.h"

namespace fcm::loader {

// timm's "rand-m9-mstd0.5-inc1", parsed. Other keys of timm's syntax are refused.
struct RandAugment {
  double magnitude = 9;  // m: 0 to 10
  double stddev = 0;     // mstd: std of the magnitude, drawn for every operation
  int64_t layers = 2;    // n: operations drawn per image, each applied with probability 0.5
};

// Throws Error(kUsage) that says what is wrong. "inc1" is required: without it timm uses other
// operations, whose strength does not increase with the magnitude.
RandAugment parse_rand_augment(const std::string& text);

class Augmenter {
 public:
  // Takes the image's size, the interpolation and the fill colour (the mean) from `data`.
  Augmenter(const DataOptions& data, const AugmentOptions& options);

  // Augments rows x cols x channels bytes in place, with draws keyed by (seed, epoch, sample).
  void apply(uint8_t* pixels, uint64_t seed, uint64_t epoch, uint64_t sample) const;

 private:
  DataOptions data_;
  std::optional<RandAugment> rand_augment_;
  double color_jitter_;
  std::vector<uint8_t> fill_;  // one value per channel
};

}  // namespace fcm::loader
