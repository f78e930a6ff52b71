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

// Finds objects in frames, uint8 [B, H, W, 3] on the CPU. One result per frame, on the CPU.
using FindObjects = std::function<std::vector<models::Detections>(const at::Tensor& frames_BHWC)>;

struct DetectionAccuracy {
  CocoResult box, mask;
  int64_t images = 0;                   // number of measured images
  std::vector<std::string> unreadable;  // why images were left out, with their names
};

// The frame options of a detection recipe.
loader::FrameOptions frame_options(const recipe::Recipe& recipe);

// Maps detections from a frame of `side` x `side` pixels back to the image, whose size is `image`:
// scales and clips boxes, drops empty boxes, pastes masks into the image. The order is that of
// `found`, by descending score.
std::vector<CocoDetection> detections_in_image(const models::Detections& found, int64_t side,
                                               loader::Extent image);

// Runs `find` on one frame and maps the detections back to the image.
std::vector<CocoDetection> objects_in_frame(const FindObjects& find, const image::Image& frame,
                                            loader::Extent image);

// The labelled objects of an image as truths of the evaluation.
std::vector<CocoTruth> truths_of(const loader::Instances& labelled);

// Measures every readable image once. `on_image`, if set, is called with the index and the
// detections of each image that this rank measures. Per detection, 24 bytes are stored, but no
// masks and no images (coco.h). Throws Error(kData) if no image can be read. Each rank of a group
// measures its slice, and all ranks get the result for the whole set.
using OnDetections = std::function<void(int64_t index, const std::vector<CocoDetection>& found)>;
DetectionAccuracy detection_accuracy(const FindObjects& find, int64_t classes,
                                     const recipe::Recipe& recipe,
                                     const std::shared_ptr<const loader::Dataset>& dataset,
                                     int64_t threads, dist::Group& group,
                                     const OnDetections& on_image = {});

}  // namespace fcm::eval
