// A whole upstream detector: its weights, the targets of its images, both paths.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "fcm/loader/instances.h"
#include "fcm/models/detector.h"
#include "reference/reference.h"
#include "tests/parity/cases.h"
#include "tests/parity/fixtures.h"
#include "tests/parity/run.h"

namespace fcm::parity {

struct DetectorCase {
  models::DetectorOptions options;
  reference::Weights weights;               // float32, upstream shapes
  std::vector<at::Tensor> images_CHW;       // uint8
  std::vector<loader::Instances> labelled;  // per image: boxes, classes, polygons
  // Per image: the sampled anchors; the sampled regions, as indices into the list of proposals and,
  // after them, truths; then the labels of anchors and the classes of regions.
  std::vector<at::Tensor> anchors_positive, anchors_negative, regions;
  std::vector<at::Tensor> anchor_labels, region_classes;
};

// `training`: the tensors of the entry's training file, which has images, targets and samples.
// Throws Error(kData) if it has no images.
DetectorCase detector_case(const Entry& entry, const Request& request, const Tensors& training);

// Runs a training pass. Results have the stored names: losses, features, proposals, scores, mask
// logits of the true class ("mask_logits"), gradients and running statistics.
Tensors train_detector(const DetectorCase& c, const Tensors& stored, Path path,
                       at::ScalarType type);

// Detections in the images ("raw.boxes.0", ...) and the proposals.
Tensors detect_objects(const DetectorCase& c, Path path, at::ScalarType type);

}  // namespace fcm::parity
