// From what the box head says of regions to a picture's detections. Source: detectron2,
// fast_rcnn_inference_single_image.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace fcm::boxes {

struct DetectionOptions {
  double least_score = 0.05;  // a detection's is more
  double overlap = 0.5;       // with a better one of its class, from which a detection is dropped
  int64_t most = 100;         // of a picture
};

struct Detections {
  at::Tensor boxes_D4;   // clipped, in pixels of the frame
  at::Tensor scores_D;   // probabilities, descending
  at::Tensor classes_D;  // int64, 0..K-1
  at::Tensor region_D;   // int64: the row of the region that it comes from
};

// Of one picture of rows x columns pixels: probabilities [N, K + 1], the last that of the
// background; deltas [N, 4 * K], class-major, of regions [N, 4]. Each class has a box of its own in
// every region. Regions with a number that is not finite give nothing. Equal scores: the lower
// region, then the lower class first. Without gradients; boxes are decoded only where the score
// suffices.
Detections detect(const at::Tensor& probabilities_NC, const at::Tensor& deltas_ND,
                  const at::Tensor& regions_N4, int64_t rows, int64_t columns,
                  const DetectionOptions& options = {});

// The same of decoded boxes, [N, 4 * K].
Detections detect_boxes(const at::Tensor& probabilities_NC, const at::Tensor& boxes_ND,
                        int64_t rows, int64_t columns, const DetectionOptions& options = {});

}  // namespace fcm::boxes
