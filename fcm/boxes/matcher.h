// Assigns each candidate box a ground-truth box ("truth"), and labels it positive, negative or
// neither. Source: detectron2, Matcher.
#pragma once

#include <ATen/core/Tensor.h>

namespace fcm::boxes {

struct MatchOptions {
  double negative_below = 0.3;  // of the IoU with the best truth
  double positive_from = 0.7;   // candidates between the two thresholds are ignored
  // A candidate is also positive if its IoU with some truth equals the best that any candidate has
  // with that truth. A truth with IoU 0 to every candidate would make all of them positive, so drop
  // truths without area first.
  bool low_quality = true;
};
inline constexpr MatchOptions kAnchorMatch{0.3, 0.7, true};
inline constexpr MatchOptions kRegionMatch{0.5, 0.5, false};

inline constexpr int8_t kPositive = 1, kNegative = 0, kIgnored = -1;

struct Match {
  // int64: the truth of largest IoU (the first of ties), even for a candidate that low_quality made
  // positive because of another truth; 0 if there are no truths.
  at::Tensor truth_N;
  at::Tensor label_N;  // int8; all kNegative if there are no truths
};

// truths [T, 4] and boxes [N, 4], float32 or float64, both of one dtype. On the CPU no T x N matrix
// is stored: memory is two values per candidate.
Match match(const at::Tensor& truths_T4, const at::Tensor& boxes_N4, const MatchOptions& options);

// `match` for IoUs that are already computed, [T, N].
Match match_overlaps(const at::Tensor& overlaps_TN, const MatchOptions& options);

}  // namespace fcm::boxes
