// Pictures and their maps of classes as segmentation is tested on them: whole, resized to fit the
// scale, without padding; maps as large as they are.
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
  Slice slice = {};  // what this process measures of the data set
};

struct TestScene {
  int64_t index = 0;     // in the data set
  image::Image picture;  // RGB, resized
  ClassMap map;          // classes of the network, of the picture's size before
};

// Calls take(scene) in this thread, in the order of the set. Pictures that cannot be read, or whose
// map cannot be used, are left out and returned. Throws Error(kData) once they are more than
// data.max_bad_share and data.max_bad_in_a_row allow.
std::vector<BadSample> for_each_scene(const SceneRequest& request,
                                      const std::function<void(TestScene&&)>& take);

// One of them. Throws Error(kData) where it cannot be read, or its map cannot be used.
TestScene read_scene_for_testing(const Dataset& dataset, int64_t index,
                                 const SceneOptions& options);

// The same for a picture alone.
image::Image scene_for_testing(const image::Image& picture, const PipelineOptions& pipeline);

}  // namespace fcm::loader
