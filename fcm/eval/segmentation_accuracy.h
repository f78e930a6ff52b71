// Metrics of a segmenter on a data set.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>

#include "fcm/dist/group.h"
#include "fcm/eval/miou.h"
#include "fcm/eval/slide.h"
#include "fcm/image/image.h"
#include "fcm/loader/dataset.h"
#include "fcm/loader/target.h"
#include "fcm/recipe/recipe.h"

namespace fcm::eval {

// Computes logits [N, h / 4, w / 4, K] from normalised windows [N, h, w, C], both float32 on the
// CPU.
using WindowLogits = std::function<at::Tensor(const at::Tensor& windows_NHWC)>;

struct SegmentationAccuracy {
  MeanIou figures;
  int64_t images = 0;                   // number of measured images
  std::vector<std::string> unreadable;  // why images were left out, with their names
};

// The class map, uint8 [rows, cols], of an image that was resized for testing
// (loader/scene_testing.h). Logits are predicted in windows as the recipe says, then resized to
// rows x cols.
at::Tensor classes_of_scene(const WindowLogits& logits, const recipe::Recipe& recipe,
                            const image::Image& resized, int64_t rows, int64_t cols);

// Measures every readable image once, in order. `on_image`, if set, is called for each image that
// this rank measures, with the resized image, its label map and the predicted class map. Throws
// Error(kData) if no image can be read. Each rank of a group measures its slice, and all ranks get
// the result for the whole set.
using OnScene = std::function<void(int64_t index, const image::Image& resized,
                                   const loader::ClassMap& map, const at::Tensor& predicted_HW)>;
SegmentationAccuracy segmentation_accuracy(const WindowLogits& logits, int64_t classes,
                                           const recipe::Recipe& recipe,
                                           const std::shared_ptr<const loader::Dataset>& dataset,
                                           int64_t threads, dist::Group& group,
                                           const OnScene& on_image = {});

}  // namespace fcm::eval
