// Computes an image's detections from the box head's outputs for its regions. Source: detectron2,
// fast_rcnn_inference_single_image.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace fcm::boxes {

struct DetectionOptions {
  double least_score = 0.05;  // detections score higher than this
  double overlap = 0.5;       // NMS threshold: IoU with a better detection of the same class
  int64_t most = 100;         // detections per image
};

struct Detections {
  at::Tensor boxes_D4;   // clipped to the image, in pixels
  at::Tensor scores_D;   // probabilities, descending
  at::Tensor classes_D;  // int64, 0..K-1
  at::Tensor region_D;   // int64: row of the region it comes from
};

// Detections of one image of rows x columns pixels, from N regions [N, 4]. probabilities [N, K +
// 1]: the last column is the background. deltas [N, 4 * K]: one box per region and class,
// class-major. Regions with a non-finite value yield no detections. Ties in score: the lower region
// first, then the lower class. Without gradients; decodes only boxes whose score exceeds the
// threshold.
Detections detect(const at::Tensor& probabilities_NC, const at::Tensor& deltas_ND,
                  const at::Tensor& regions_N4, int64_t rows, int64_t columns,
                  const DetectionOptions& options = {});

// `detect` for boxes that are already decoded, [N, 4 * K].
Detections detect_boxes(const at::Tensor& probabilities_NC, const at::Tensor& boxes_ND,
                        int64_t rows, int64_t columns, const DetectionOptions& options = {});

}  // namespace fcm::boxes
