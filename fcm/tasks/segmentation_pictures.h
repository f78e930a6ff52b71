// Images, maps and figures of segmenters, as commands show and write them.
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
#include "fcm/tasks/picture_set.h"
#include "fcm/viz/class_colours.h"

namespace fcm::tasks {

// How many classes the maps of a data set have, for a recipe. Throws Error(kData) where the
// recipe's number is smaller than that of the names, Error(kUsage) where neither of the two tells.
// `data`: as --data names it.
int64_t classes_of_maps(const recipe::Recipe& recipe, const loader::Dataset& dataset,
                        const std::string& data);

// Throws Error(kData) where no pixel of a sample of the maps has a class: masks of 0 and 255, where
// both stand for none.
void refuse_maps_without_classes(const recipe::Recipe& recipe, const loader::Dataset& dataset,
                                 const std::string& data);

// One name a class: those given, then "class 7" where they are fewer.
std::vector<std::string> class_names(const std::vector<std::string>& names, int64_t classes);

// The colours of those names, or none where the data did not give every class one.
std::vector<viz::Colour> colours_of_answers(const std::optional<PictureSet>& trained_on,
                                            int64_t classes);

// "mIoU", "mAcc", "aAcc" (percent), "images", "unreadable" and "classes" one by one.
nlohmann::json figures_of(const eval::SegmentationAccuracy& accuracy,
                          const std::vector<std::string>& names);

// A grey image of classes, [rows, cols].
image::Image map_picture(const at::Tensor& classes_HW);

// The first `most` readable images of a set, what is labelled and what is predicted.
image::Image segmentation_sheet(const eval::WindowLogits& logits, int64_t classes,
                                const recipe::Recipe& recipe, const loader::Dataset& dataset,
                                int64_t most, const std::string& title);

}  // namespace fcm::tasks
