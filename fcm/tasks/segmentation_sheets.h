// Images, maps and figures of segmenters, for display and for results.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "fcm/eval/segmentation_accuracy.h"
#include "fcm/image/image.h"
#include "fcm/loader/dataset.h"
#include "fcm/recipe/recipe.h"
#include "fcm/tasks/image_set.h"
#include "fcm/viz/class_colours.h"

namespace fcm::tasks {

// The number of classes of a data set's maps for a recipe. Throws Error(kData) if the recipe's
// number is smaller than the number of names, Error(kUsage) if neither is known. `data`: as --data
// names it.
int64_t classes_of_maps(const recipe::Recipe& recipe, const loader::Dataset& dataset,
                        const std::string& data);

// Throws Error(kData) if no pixel in a sample of the maps has a class: for example masks of 0 and
// 255 where both mean no class.
void refuse_maps_without_classes(const recipe::Recipe& recipe, const loader::Dataset& dataset,
                                 const std::string& data);

// One name per class: those given, then "class 7" if there are fewer.
std::vector<std::string> class_names(const std::vector<std::string>& names, int64_t classes);

// The colours of these classes; empty if the data does not have one for every class.
std::vector<viz::Colour> colours_of_answers(const std::optional<ImageSet>& trained_on,
                                            int64_t classes);

// "mIoU", "mAcc", "aAcc" (percent), "images", "unreadable", and "classes" with figures per class.
nlohmann::json figures_of(const eval::SegmentationAccuracy& accuracy,
                          const std::vector<std::string>& names);

// A grey image of class indices, from [rows, cols].
image::Image map_image(const at::Tensor& classes_HW);

// A sheet of the first `most` readable images of a set with labels and predictions.
image::Image segmentation_sheet(const eval::WindowLogits& logits, int64_t classes,
                                const recipe::Recipe& recipe, const loader::Dataset& dataset,
                                int64_t most, const std::string& title);

}  // namespace fcm::tasks
