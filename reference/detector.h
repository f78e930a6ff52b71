// The whole published detector, in plain tensor calls: Mask R-CNN of detectron2 on the backbones of
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
  std::vector<int64_t> strides{4, 8, 16, 32,
                               64};  // of p2 to p6; anchors have 8 times as long sides
  int64_t sampled_anchors = 256, sampled_regions = 512;        // of an image
  std::pair<int64_t, int64_t> training_proposals{2000, 1000};  // before and after suppression
  std::pair<int64_t, int64_t> testing_proposals{1000, 1000};
  double least_score = 0.05;
  int64_t detections = 100;
};

struct LabelledFrame {
  at::Tensor boxes_T4;   // x0, y0, x1, y1 in pixels
  at::Tensor classes_T;  // int64
};

// What is left to chance, and masks, of which boxes know nothing.
struct DetectorPass {
  nn::DropPath drop_path = {};
  // Of an image's candidates with labels [N] (1, 0 or -1): those to learn from, positives and
  // negatives.
  using Choose =
      std::function<std::pair<at::Tensor, at::Tensor>(int64_t picture, const at::Tensor& label_N)>;
  Choose anchors, regions;
  // Masks of truths (indices [M]) within boxes [M, 4]: [M, 28, 28].
  std::function<at::Tensor(int64_t picture, const at::Tensor& boxes_M4, const at::Tensor& truths_M)>
      masks;
};

struct DetectorLosses {
  at::Tensor rpn_class, rpn_box, box_class, box_deltas, mask;
  at::Tensor total() const { return rpn_class + rpn_box + box_class + box_deltas + mask; }
};

// images_BCHW: normalised pixels, floating. Names of weights are those of models::Detector; running
// statistics in them move. The observer sees "p2" to "p6", "proposals.<picture>",
// "objectness.<picture>", "box_scores", "box_deltas" and "mask_logits" of the own class.
DetectorLosses detector_losses(const Weights& weights, const DetectorOptions& options,
                               const at::Tensor& images_BCHW,
                               const std::vector<LabelledFrame>& labelled, const DetectorPass& pass,
                               const nn::Observer& observer = {});

struct FoundObjects {
  at::Tensor boxes_N4, scores_N, classes_N, masks_NSS;
};
// By running statistics; one result an image.
std::vector<FoundObjects> find_objects(const Weights& weights, const DetectorOptions& options,
                                       const at::Tensor& images_BCHW,
                                       const nn::Observer& observer = {});

}  // namespace fcm::reference
