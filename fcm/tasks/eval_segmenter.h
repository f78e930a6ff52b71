// `eval` for a segmenter's checkpoint.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>

#include "fcm/base/reporter.h"
#include "fcm/checkpoint/checkpoint.h"
#include "fcm/tasks/tasks.h"

namespace fcm::tasks {

// Measures a segmenter on the validation images. Returns "mIoU", "mAcc", "aAcc" (percent),
// "images", "unreadable", and "classes" with figures per class. If request.out is set, writes
// result.json and a sheet of the first images there. Throws Error(kData) if the data has other
// classes than the segmenter.
nlohmann::json eval_segmenter(const EvalRequest& request, checkpoint::Checkpoint checkpoint,
                              int64_t threads, Reporter& reporter);

}  // namespace fcm::tasks
