// Metrics of a detector on a data set: COCO's figures of boxes and masks.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "fcm/dist/group.h"
#include "fcm/eval/coco.h"
#include "fcm/image/image.h"
#include "fcm/loader/dataset.h"
#include "fcm/loader/frame_testing.h"
#include "fcm/models/detector.h"
#include "fcm/recipe/recipe.h"

namespace fcm::eval {

// Detections in frames, uint8 [B, H, W, 3] on the CPU: one result per frame, on the CPU.
using FindObjects = std::function<std::vector<models::Detections>(const at::Tensor& frames_BHWC)>;

struct DetectionAccuracy {
  CocoResult box, mask;
  int64_t images = 0;                   // measured
  std::vector<std::string> unreadable;  // why images were left out, with their names
};

// The frame options of a detection recipe.
loader::FrameOptions frame_options(const recipe::Recipe& recipe);

// From a frame back to the image of these rows and columns: scales and clips boxes, drops empty
// ones, pastes masks into the image. By descending score.
std::vector<CocoDetection> detections_in_image(const models::Detections& found, int64_t side,
                                               loader::Extent image);

// The detections in one frame, in coordinates of the image.
std::vector<CocoDetection> objects_in_frame(const FindObjects& find, const image::Image& frame,
                                            loader::Extent image);

// The labelled objects of an image as truths of the evaluation.
std::vector<CocoTruth> truths_of(const loader::Instances& labelled);

// Measures every readable image once. `seen`, if given, gets the detections of each of this rank's
// images, by its index in the set. Memory does not grow with masks or images (coco.h). Throws
// Error(kData) if no image can be read. Each rank of a group measures its slice, and all ranks get
// the result for the whole set.
using OnDetections = std::function<void(int64_t index, const std::vector<CocoDetection>& found)>;
DetectionAccuracy detection_accuracy(const FindObjects& find, int64_t classes,
                                     const recipe::Recipe& recipe,
                                     const std::shared_ptr<const loader::Dataset>& dataset,
                                     int64_t threads, dist::Group& group,
                                     const OnDetections& seen = {});

}  // namespace fcm::eval
