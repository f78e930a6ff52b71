// `eval` for a detector's checkpoint.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>

#include "fcm/base/reporter.h"
#include "fcm/checkpoint/checkpoint.h"
#include "fcm/tasks/tasks.h"

namespace fcm::tasks {

// Measures a detector on the validation images. Returns "box" and "mask" (COCO's figures in
// percent), "images", "unreadable", and "classes" with figures per class. If request.out is set,
// writes result.json, detections.json (COCO's results format) and a sheet of the first images
// there. Throws Error(kData) if the data has other classes than the detector.
nlohmann::json eval_detector(const EvalRequest& request, checkpoint::Checkpoint checkpoint,
                             int64_t threads, Reporter& reporter);

}  // namespace fcm::tasks
