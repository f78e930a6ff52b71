// The whole upstream detector in plain tensor calls: Mask R-CNN of detectron2 on the backbones of
// ConvMAE's DET folder, MIMDet and the official ConvMAE-Det, from pixels to five losses and to
// detections.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "reference/detector_backbone.h"
#include "reference/reference.h"

namespace fcm::reference {

struct DetectorOptions : DetectorBackboneOptions {
  int64_t classes = 80;
  std::vector<int64_t> strides{4, 8, 16, 32, 64};  // of p2 to p6; anchors: 8 strides along a side
  int64_t sampled_anchors = 256, sampled_regions = 512;        // per image
  std::pair<int64_t, int64_t> training_proposals{2000, 1000};  // before and after NMS
  std::pair<int64_t, int64_t> testing_proposals{1000, 1000};
  double least_score = 0.05;
  int64_t detections = 100;
};

struct LabelledFrame {
  at::Tensor boxes_T4;   // x0, y0, x1, y1 in pixels
  at::Tensor classes_T;  // int64
};

// The random choices of a training pass, and the mask targets.
struct DetectorTrainingDraws {
  nn::DropPath drop_path = {};
  // From an image's candidates with labels [N] (1, 0 or -1) to the sampled indices: positives,
  // negatives.
  using Choose =
      std::function<std::pair<at::Tensor, at::Tensor>(int64_t image, const at::Tensor& label_N)>;
  Choose anchors, regions;
  // Mask targets [M, 28, 28] of truths (indices [M]) within boxes [M, 4].
  std::function<at::Tensor(int64_t image, const at::Tensor& boxes_M4, const at::Tensor& truths_M)>
      masks;
};

struct DetectorLosses {
  at::Tensor rpn_class, rpn_box, box_class, box_deltas, mask;
  at::Tensor total() const { return rpn_class + rpn_box + box_class + box_deltas + mask; }
};

// images_BCHW: normalised pixels, floating-point. Weights have the names of models::Detector; their
// running statistics are updated. The observer gets the backbone's modules, "p2" to "p6",
// "proposals.<image index>", "objectness.<image index>", "box_scores", "box_deltas", and
// "mask_logits": of each foreground region, those of its class.
DetectorLosses detector_losses(const Weights& weights, const DetectorOptions& options,
                               const at::Tensor& images_BCHW,
                               const std::vector<LabelledFrame>& labelled,
                               const DetectorTrainingDraws& draws,
                               const nn::Observer& observer = {});

struct FoundObjects {
  at::Tensor boxes_N4, scores_N, classes_N, masks_NSS;
};
// Inference with running statistics; one result per image. The observer gets the backbone's
// modules, "p2" to "p6", and proposals and objectness as in training.
std::vector<FoundObjects> find_objects(const Weights& weights, const DetectorOptions& options,
                                       const at::Tensor& images_BCHW,
                                       const nn::Observer& observer = {});

}  // namespace fcm::reference
