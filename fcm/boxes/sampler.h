// A random subset of an image's many candidates, for the loss.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "fcm/base/random.h"

namespace fcm::boxes {

struct SampleOptions {
  int64_t total = 256;          // candidates per image
  int64_t most_positive = 128;  // at most this many of them positive
};
inline constexpr SampleOptions kAnchorSample{256, 128};
inline constexpr SampleOptions kRegionSample{512, 128};

enum class Side { kPositives, kNegatives };

// Chooses `wanted` distinct indices below `count` for one side. The sample keeps their order.
using Choice = std::function<std::vector<int64_t>(Side side, int64_t count, int64_t wanted)>;

// Uniform over all subsets, indices in ascending order. The choice is a pure function of these
// keys, so it does not depend on the number of threads and ranks.
Choice keyed_choice(uint64_t seed, Purpose purpose, uint64_t epoch, uint64_t sample_id);

struct Sampled {
  at::Tensor positive_P, negative_Q;  // int64: indices of candidates, on their device
};

// label_N as in matcher.h. Takes at most `most_positive` positives, then as many negatives as are
// missing from `total`; fewer if there are fewer candidates.
Sampled sample(const at::Tensor& label_N, const SampleOptions& options, const Choice& choice);

}  // namespace fcm::boxes
