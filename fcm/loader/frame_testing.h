// Pictures in square frames as detectors are tested on them: the longer side as long as the frame,
// padding to the right and below.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "fcm/loader/frame.h"

namespace fcm::loader {

struct FrameRequest {
  std::shared_ptr<const Dataset> dataset;
  FrameOptions options;
  int64_t threads = 1;
  Slice slice = {};  // what this process measures of the data set
};

struct TestFrame {
  int64_t index = 0;   // in the data set
  image::Image frame;  // RGB, side x side
  Extent picture;      // before: what detections are scaled to
  Extent shown;        // how much of the upper left is picture
};

// Calls take(frame) in this thread, in the order of the set. Pictures that cannot be read are left
// out and returned. Throws Error(kData) once they are more than data.max_bad_share and
// data.max_bad_in_a_row allow, Error(kUsage) for options that contradict each other.
std::vector<BadSample> for_each_frame(const FrameRequest& request,
                                      const std::function<void(TestFrame&&)>& take);

// One of them. Throws Error(kData) where it cannot be read.
TestFrame read_frame_for_testing(const Dataset& dataset, int64_t index,
                                 const FrameOptions& options);

// The same for a picture alone (RGB); `index` stays 0.
TestFrame frame_for_testing(const image::Image& picture, const FrameOptions& options);

}  // namespace fcm::loader
