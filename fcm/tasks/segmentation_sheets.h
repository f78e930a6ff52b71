// Sheets, maps and figures of segmenters.
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

// The number of classes of a data set's maps: segmenter.classes of the recipe, or else the number
// of class names of the data set. Throws Error(kData) if the recipe's number is smaller than the
// number of names, Error(kUsage) if neither is known. `data`: the set as --data names it.
int64_t classes_of_maps(const recipe::Recipe& recipe, const loader::Dataset& dataset,
                        const std::string& data);

// Throws Error(kData) if no pixel in a sample of at most 32 maps has a class, for example if maps
// have only 0 and 255 and both mean "no class".
void refuse_maps_without_classes(const recipe::Recipe& recipe, const loader::Dataset& dataset,
                                 const std::string& data);

// One name per class: those in `names`; classes without a name get "class 7".
std::vector<std::string> class_names(const std::vector<std::string>& names, int64_t classes);

// The colours of the classes in the training data; empty if not every class has one.
std::vector<viz::Colour> class_colours_of(const std::optional<ImageSet>& trained_on,
                                          int64_t classes);

// The result of a measurement: "mIoU", "mAcc", "aAcc" (percent), "images", "unreadable", and
// "classes" with figures per class.
nlohmann::json figures_of(const eval::SegmentationAccuracy& accuracy,
                          const std::vector<std::string>& names);

// A grey image of class indices, from [rows, cols].
image::Image map_image(const at::Tensor& classes_HW);

// A sheet of the first `most` readable images of a set with labels and predictions.
image::Image segmentation_sheet(const eval::WindowLogits& logits, int64_t classes,
                                const recipe::Recipe& recipe, const loader::Dataset& dataset,
                                int64_t most, const std::string& title);

}  // namespace fcm::tasks
