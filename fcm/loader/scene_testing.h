// Images and their class maps for testing segmentation: whole images, resized to fit the scale,
// without padding; maps at their original size.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "fcm/loader/scene.h"

namespace fcm::loader {

struct SceneRequest {
  std::shared_ptr<const Dataset> dataset;
  DataOptions data;
  PipelineOptions pipeline;
  int64_t classes = 0;
  int64_t threads = 1;
  Slice slice = {};  // this process's part of the data set
};

struct TestScene {
  int64_t index = 0;   // index in the data set
  image::Image image;  // RGB, resized
  ClassMap map;        // network classes, at the image's original size
};

// Calls take(scene) on this thread, in data set order. Images that are unreadable, or whose map is
// unusable, are skipped and returned. Throws Error(kData) once there are more of them than
// data.max_bad_share and data.max_bad_in_a_row allow.
std::vector<BadSample> for_each_scene(const SceneRequest& request,
                                      const std::function<void(TestScene&&)>& take);

// A single image of the set. Throws Error(kData) if it is unreadable or its map is unusable.
TestScene read_scene_for_testing(const Dataset& dataset, int64_t index,
                                 const SceneOptions& options);

// The same for an image in memory, without a map.
image::Image scene_for_testing(const image::Image& image, const PipelineOptions& pipeline);

}  // namespace fcm::loader
