// What a detector finds of the objects that are labelled: COCO's figures of boxes and masks.
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

// What is found in frames, uint8 [B, H, W, 3] on the CPU: one result a frame, on the CPU.
using FindObjects = std::function<std::vector<models::Detections>(const at::Tensor& frames_BHWC)>;

struct DetectionAccuracy {
  CocoResult box, mask;
  int64_t images = 0;                   // measured
  std::vector<std::string> unreadable;  // those left out: why, with their names
};

// Options of the frames that a recipe of detection asks for.
loader::FrameOptions frame_options(const recipe::Recipe& recipe);

// From the frame back to the picture of these rows and columns: boxes scaled and clipped, those
// that are empty then left out, masks pasted into the picture. By descending score.
std::vector<CocoDetection> detections_in_picture(const models::Detections& found, int64_t side,
                                                 loader::Extent picture);

// What is found in one frame.
std::vector<CocoDetection> objects_in_frame(const FindObjects& find, const image::Image& frame,
                                            loader::Extent picture);

// The labelled objects of a picture as the evaluation takes them.
std::vector<CocoTruth> truths_of(const loader::Instances& labelled);

// Every readable picture once. `seen`, if given, gets what is found in each of this rank's
// pictures, by its number in the set. Memory does not grow with masks or pictures (coco.h). Throws
// Error(kData) where no picture can be read. Each rank of a group measures its slice, and all have
// the result of the whole.
using SeenDetections = std::function<void(int64_t index, const std::vector<CocoDetection>& found)>;
DetectionAccuracy detection_accuracy(const FindObjects& find, int64_t classes,
                                     const recipe::Recipe& recipe,
                                     const std::shared_ptr<const loader::Dataset>& dataset,
                                     int64_t threads, dist::Group& group,
                                     const SeenDetections& seen = {});

}  // namespace fcm::eval
