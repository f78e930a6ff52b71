// A whole detector of the stored results: its weights, what its pictures teach, either path through
// it.
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
  reference::Weights weights;               // float32, published shapes
  std::vector<at::Tensor> images_CHW;       // bytes
  std::vector<loader::Instances> labelled;  // of each picture: boxes, classes, outlines
  // Indices that were drawn, of each picture: anchors, and rows of proposals and truths.
  std::vector<at::Tensor> anchors_positive, anchors_negative, regions;
  std::vector<at::Tensor> anchor_labels, region_classes;
};

// `training`: the entry of a training pass, which has all of it; the others have weights alone.
DetectorCase detector_case(const Entry& entry, const Request& request, const Tensors& training);

// What a training pass leaves, under the stored names: losses, features, proposals, scores, masks
// of the own class ("mask_logits"), gradients and statistics.
Tensors train_detector(const DetectorCase& c, const Tensors& stored, Path path,
                       at::ScalarType type);

// What is found in the pictures, "raw.boxes.0", ..., and proposals.
Tensors detect_objects(const DetectorCase& c, Path path, at::ScalarType type);

}  // namespace fcm::parity
