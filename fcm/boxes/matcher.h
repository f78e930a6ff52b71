// Which truth a candidate box belongs to, and whether it is a positive, a negative or neither.
// Source: detectron2, Matcher.
#pragma once

#include <ATen/core/Tensor.h>

namespace fcm::boxes {

struct MatchOptions {
  double negative_below = 0.3;  // overlap with the best truth
  double positive_from = 0.7;   // between the two: neither
  // Every candidate that overlaps some truth as much as the best candidate of that truth does is a
  // positive, too. A truth that no candidate overlaps makes positives of all candidates, so truths
  // without area have to be dropped before.
  bool low_quality = true;
};
inline constexpr MatchOptions kAnchorMatch{0.3, 0.7, true};
inline constexpr MatchOptions kRegionMatch{0.5, 0.5, false};

inline constexpr int8_t kPositive = 1, kNegative = 0, kIgnored = -1;

struct Match {
  // int64: the truth of largest overlap, the first of several, also for candidates that
  // low_quality made positive by another; 0 where there are no truths.
  at::Tensor truth_N;
  at::Tensor label_N;  // int8; all kNegative where there are no truths
};

// truths [T, 4] and boxes [N, 4], float32 or float64, both of one type. On the CPU overlaps are
// used and forgotten: memory for two numbers a candidate, not for T x N.
Match match(const at::Tensor& truths_T4, const at::Tensor& boxes_N4, const MatchOptions& options);

// The same of overlaps that are there, [T, N].
Match match_overlaps(const at::Tensor& overlaps_TN, const MatchOptions& options);

}  // namespace fcm::boxes
