// Images in square frames for testing detectors: the longer side is resized to the frame's side,
// and the rest of the frame, right and below, is padding.
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
  Slice slice = {};  // this process's part of the data set
};

struct TestFrame {
  int64_t index = 0;   // index in the data set
  image::Image frame;  // RGB, side x side
  Extent image;        // original size, to which detections are scaled back
  Extent shown;        // size of the image in the frame's upper left
};

// Calls take(frame) on this thread, in data set order. Unreadable images are skipped and returned.
// Throws Error(kData) once there are more of them than data.max_bad_share and data.max_bad_in_a_row
// allow, and Error(kUsage) for options that contradict each other.
std::vector<BadSample> for_each_frame(const FrameRequest& request,
                                      const std::function<void(TestFrame&&)>& take);

// A single image of the data set. Throws Error(kData) if it cannot be read.
TestFrame read_frame_for_testing(const Dataset& dataset, int64_t index,
                                 const FrameOptions& options);

// The same for an image in memory (RGB); `index` stays 0.
TestFrame frame_for_testing(const image::Image& image, const FrameOptions& options);

}  // namespace fcm::loader
