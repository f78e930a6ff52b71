// Random changes of one picture after its crop and flip, still in bytes: RandAugment, or colour
// jitter.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "fcm/image/image.h"
#include "fcm/loader/options.h"

namespace fcm::loader {

// timm's "rand-m9-mstd0.5-inc1" in parts. Other keys of timm's language are refused.
struct RandAugment {
  double magnitude = 9;  // m: 0 to 10
  double deviation = 0;  // mstd: of the magnitude, drawn anew for every operation
  int64_t layers = 2;    // n: operations drawn for each picture, each applied with probability 0.5
};

// Throws Error(kUsage) that says what is wrong. Without "inc1" timm's operations are others (their
// strength does not rise with the magnitude), so it must be there.
RandAugment parse_rand_augment(const std::string& text);

class Augmenter {
 public:
  // Interpolation and fill colour (the mean) are those of `data`.
  Augmenter(const DataOptions& data, const AugmentOptions& options);

  // Changes rows x cols x channels bytes in place, as (seed, epoch, sample) say.
  void apply(uint8_t* pixels, uint64_t seed, uint64_t epoch, uint64_t sample) const;

 private:
  DataOptions data_;
  std::optional<RandAugment> rand_augment_;
  double color_jitter_;
  std::vector<uint8_t> fill_;  // a value a channel
};

}  // namespace fcm::loader
