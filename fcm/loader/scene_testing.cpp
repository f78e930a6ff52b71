#include "fcm/loader/scene_testing.h"

#include "fcm/image/opencv_resize.h"
#include "fcm/loader/each_readable.h"

namespace fcm::loader {
image::Image scene_for_testing(const image::Image& image, const PipelineOptions& pipeline) {
  const Extent size = fitted_size({image.rows, image.cols}, pipeline.scale);
  return image::resize_linear(image, size.rows, size.cols);
}

TestScene read_scene_for_testing(const Dataset& dataset, int64_t index,
                                 const SceneOptions& options) {
  TestScene scene{index, {}, read_classes(dataset, index, options)};
  const image::Image whole = dataset.get(index, 3);
  check_size_of_map(scene.map, whole.rows, whole.cols, dataset.name(index));
  scene.image = scene_for_testing(whole, options.pipeline);
  return scene;
}

std::vector<BadSample> for_each_scene(const SceneRequest& request,
                                      const std::function<void(TestScene&&)>& take) {
  const SceneOptions options{request.data, request.pipeline, request.classes};
  check_scene_options(options);
  return for_each_readable(
      request.slice.of(request.dataset->size()), request.threads, request.data,
      [&](int64_t i) { return read_scene_for_testing(*request.dataset, i, options); }, take);
}

}  // namespace fcm::loader
