#include "fcm/loader/scene_testing.h"

#include <optional>
#include <utility>
#include <variant>

#include "fcm/base/error.h"
#include "fcm/image/opencv_resize.h"
#include "fcm/loader/bad_limits.h"
#include "fcm/loader/in_order.h"

namespace fcm::loader {
namespace {

using SceneOrBad = std::variant<TestScene, BadSample>;

SceneOrBad try_to_read(const Dataset& dataset, int64_t index, const SceneOptions& options) {
  try {
    return read_scene_for_testing(dataset, index, options);
  } catch (const Error& error) {
    if (error.code() != ExitCode::kData) throw;
    return BadSample{index, -1, error.what()};
  }
}

}  // namespace

image::Image scene_for_testing(const image::Image& picture, const PipelineOptions& pipeline) {
  const Extent size = fitted_size({picture.rows, picture.cols}, pipeline.scale);
  return image::resize_linear(picture, size.rows, size.cols);
}

TestScene read_scene_for_testing(const Dataset& dataset, int64_t index,
                                 const SceneOptions& options) {
  TestScene scene{index, {}, read_classes(dataset, index, options)};
  const image::Image whole = dataset.get(index, 3);
  check_size_of_map(scene.map, whole.rows, whole.cols, dataset.name(index));
  scene.picture = scene_for_testing(whole, options.pipeline);
  return scene;
}

std::vector<BadSample> for_each_scene(const SceneRequest& request,
                                      const std::function<void(TestScene&&)>& take) {
  const SceneOptions options{request.data, request.pipeline, request.classes};
  check_scene_options(options);
  const Range part = request.slice.of(request.dataset->size());
  BadLimits limits(request.data, part.size());
  std::vector<BadSample> bad;
  for_each_in_order(
      part.size(), request.threads,
      [&](int64_t i) { return try_to_read(*request.dataset, part.begin + i, options); },
      [&](int64_t i, SceneOrBad read) {
        Batch one;  // as the limits count
        one.sample_ids = {part.begin + i};
        if (auto* const missing = std::get_if<BadSample>(&read)) {
          bad.push_back(*missing);
          one.bad.push_back(std::move(*missing));
        }
        limits.count(one);
        if (auto* const scene = std::get_if<TestScene>(&read)) take(std::move(*scene));
      });
  return bad;
}

}  // namespace fcm::loader
