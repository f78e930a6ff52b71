// Box operations of the upstream detector (detectron2), in plain tensor calls: anchors, deltas,
// matching, NMS, proposals, detections, RoIAlign. Boxes are [.., 4] x0, y0, x1, y1 in pixels. The
// only gradient that tests use is that of roi_align with respect to its map.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <vector>

namespace fcm::reference {

// The anchors of one map, in the order row, column, ratio (.5, 1, 2): [rows * columns * 3, 4],
// float32.
at::Tensor anchors_of_map(int64_t rows, int64_t columns, int64_t stride, double side);

// Intersection over union, 0 for disjoint boxes: [A, B].
at::Tensor overlap_matrix(const at::Tensor& a_A4, const at::Tensor& b_B4);

using FourWeights = std::array<double, 4>;  // of dx, dy, dw, dh
at::Tensor deltas_between(const at::Tensor& sources_N4, const at::Tensor& targets_N4,
                          const FourWeights& weights);
// [N, 4 * K] -> [N, 4 * K]
at::Tensor boxes_at_deltas(const at::Tensor& deltas_ND, const at::Tensor& sources_N4,
                           const FourWeights& weights);

struct MatchedBoxes {
  at::Tensor truth_N, label_N;  // int64; labels 1, 0, -1
};
// Labels by the largest overlap with a truth: 0 below `low`, 1 from `high` on, -1 between. With
// low_quality the best boxes of every truth are also 1.
MatchedBoxes matched_boxes(const at::Tensor& overlaps_TN, double low, double high,
                           bool low_quality);

// NMS: indices of the boxes that stay, by descending score. Boxes of different groups do not
// suppress each other.
at::Tensor non_maximum_suppression(const at::Tensor& boxes_N4, const at::Tensor& scores_N,
                                   const at::Tensor& groups_N, double threshold);

struct FoundProposals {
  at::Tensor boxes_P4, logits_P;
};
// For one image: decoded boxes and logits, one tensor per level.
FoundProposals top_proposals(const std::vector<at::Tensor>& boxes,
                             const std::vector<at::Tensor>& logits, int64_t rows, int64_t columns,
                             int64_t before_nms, int64_t after_nms, double threshold);

struct FoundDetections {
  at::Tensor boxes_D4, scores_D, classes_D, region_D;
};
// For one image: decoded boxes [N, 4 * K], probabilities [N, K + 1].
FoundDetections box_inference(const at::Tensor& boxes_ND, const at::Tensor& probabilities_NC,
                              int64_t rows, int64_t columns, double least_score, double threshold,
                              int64_t most);

// RoIAlign: [R, C, bins, bins] of boxes [R, 4] in image image_R of a map [B, C, H, W], whose
// positions are 1 / scale pixels apart. Bilinear; a bin gets as many samples as it covers
// positions, rounded up.
at::Tensor roi_align(const at::Tensor& map_BCHW, const at::Tensor& boxes_R4,
                     const at::Tensor& image_R, double scale, int64_t bins);

}  // namespace fcm::reference
