// A few of a picture's many candidates, to learn from.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "fcm/base/random.h"

namespace fcm::boxes {

struct SampleOptions {
  int64_t total = 256;          // candidates of a picture
  int64_t most_positive = 128;  // of which so many are positives, if there are
};
inline constexpr SampleOptions kAnchorSample{256, 128};
inline constexpr SampleOptions kRegionSample{512, 128};

enum class Side { kPositives, kNegatives };

// Which of `count` candidates of a side are taken, `wanted` different numbers below count, in the
// order in which they are returned.
using Choice = std::function<std::vector<int64_t>(Side side, int64_t count, int64_t wanted)>;

// Every set of candidates alike, in ascending order; a function of these keys alone, so the same
// with any number of threads and ranks.
Choice keyed_choice(uint64_t seed, Purpose purpose, uint64_t epoch, uint64_t sample_id);

struct Sampled {
  at::Tensor positive_P, negative_Q;  // int64, indices of candidates, on their device
};

// label_N as in matcher.h: min(positives, most_positive) of them, and total minus that of the
// negatives, or all there are.
Sampled sample(const at::Tensor& label_N, const SampleOptions& options, const Choice& choice);

}  // namespace fcm::boxes
