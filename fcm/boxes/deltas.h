// Box deltas, which detectors regress: a box relative to another box, by centre and size.
// Source: Girshick et al., "Rich feature hierarchies", CVPR 2014, appendix C; detectron2,
// Box2BoxTransform.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace fcm::boxes {

// The factor of each delta.
struct DeltaWeights {
  double x = 1, y = 1, width = 1, height = 1;
};
inline constexpr DeltaWeights kAnchorDeltas{1, 1, 1, 1};
inline constexpr DeltaWeights kRegionDeltas{10, 10, 5, 5};

// Deltas from `sources` to `targets`, both [N, 4] (x0, y0, x1, y1) of one dtype and of positive
// sizes -> [N, 4] (dx, dy, dw, dh), with dx = weights.x * (centre of the target - centre of the
// source) / width of the source and dw = weights.width * ln(width of the target / width of the
// source); dy and dh are the same with y and height.
at::Tensor encode(const at::Tensor& sources_N4, const at::Tensor& targets_N4,
                  const DeltaWeights& weights);

// Applies deltas [N, 4 * K], K consecutive boxes per source, to sources [N, 4] -> [N, 4 * K], in
// the wider of the two dtypes, float32 at least. After division by their weights, dw and dh are
// clamped to at most ln(1000 / 16).
at::Tensor decode(const at::Tensor& deltas_ND, const at::Tensor& sources_N4,
                  const DeltaWeights& weights);

// Coordinates [.., 4] clamped to 0..columns and 0..rows.
at::Tensor clipped(const at::Tensor& boxes, int64_t rows, int64_t columns);

}  // namespace fcm::boxes
