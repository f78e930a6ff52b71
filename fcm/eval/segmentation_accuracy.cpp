#include "fcm/eval/segmentation_accuracy.h"

#include <ATen/ATen.h>

#include <span>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/eval/unreadable.h"
#include "fcm/loader/scene_pixels.h"
#include "fcm/loader/scene_testing.h"
#include "fcm/ops/reference_ops.h"

namespace fcm::eval {
namespace {

constexpr int64_t kWindowsAtOnce = 4;

}  // namespace

at::Tensor classes_of_scene(const WindowLogits& logits, const recipe::Recipe& recipe,
                            const image::Image& resized, int64_t rows, int64_t cols) {
  const recipe::SegmenterSection& section = recipe.segment().segmenter;
  std::vector<float> values = loader::normalised_scene_pixels(resized, recipe.data);
  const at::Tensor pixels_HWC =
      at::from_blob(values.data(), {resized.rows, resized.cols, resized.channels}, at::kFloat);
  const SlideOptions options{recipe.data.image_size[0], recipe.data.image_size[1],
                             section.stride[0], section.stride[1], section.windows == "whole"};
  return slide(pixels_HWC, rows, cols, options, kWindowsAtOnce, logits);
}

SegmentationAccuracy segmentation_accuracy(const WindowLogits& logits, int64_t classes,
                                           const recipe::Recipe& recipe,
                                           const std::shared_ptr<const loader::Dataset>& dataset,
                                           int64_t threads, dist::Group& group,
                                           const OnScene& on_image) {
  const ops::ReferenceOps reference(recipe.debug.reference_ops);
  ClassCounts counts(classes);
  SegmentationAccuracy accuracy;
  const auto bad =
      loader::for_each_scene({.dataset = dataset,
                              .data = recipe.data,
                              .pipeline = recipe.segment().pipeline,
                              .classes = classes,
                              .threads = threads,
                              .slice = {group.rank(), group.size()}},
                             [&](loader::TestScene&& scene) {
                               const at::Tensor predicted_HW = classes_of_scene(
                                   logits, recipe, scene.image, scene.map.rows, scene.map.cols);
                               counts.add(std::span(predicted_HW.const_data_ptr<uint8_t>(),
                                                    static_cast<size_t>(predicted_HW.numel())),
                                          scene.map.classes);
                               if (on_image)
                                 on_image(scene.index, scene.image, scene.map, predicted_HW);
                             });
  counts.add_other_ranks(group);
  accuracy.unreadable = reasons_of_all(bad, group);
  accuracy.figures = counts.result();
  accuracy.images = accuracy.figures.images;
  if (accuracy.images == 0) fail(ExitCode::kData, "there is no readable image to measure on");
  return accuracy;
}

}  // namespace fcm::eval
