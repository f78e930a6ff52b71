// Images, objects and figures of detectors, as commands show and write them.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "fcm/eval/detection_accuracy.h"
#include "fcm/image/image.h"
#include "fcm/loader/dataset.h"
#include "fcm/recipe/recipe.h"
#include "fcm/viz/objects.h"

namespace fcm::tasks {

// Detections with a smaller score are not drawn; results have them.
inline constexpr double kDrawnScore = 0.5;

// How many classes the objects of a data set have, for a recipe. Throws Error(kData) where the
// recipe's number is another one. `data`: as --data names it.
int64_t classes_of_objects(const recipe::Recipe& recipe, const loader::Dataset& dataset,
                           const std::string& data);

// "box" and "mask" (each with AP, AP50 ... in percent), "images", "unreadable", and "classes" one
// by one: AP of boxes and masks.
nlohmann::json figures_of(const eval::DetectionAccuracy& accuracy,
                          const std::vector<std::string>& names);

// What is drawn of detections: those of kDrawnScore and more, by name.
std::vector<viz::ShownObject> shown_objects(const std::vector<eval::CocoDetection>& found,
                                            const std::vector<std::string>& names);

// The first `most` readable images of a set, what is labelled and what is found.
image::Image detection_sheet(const eval::FindObjects& find, const recipe::Recipe& recipe,
                             const loader::Dataset& dataset, const std::vector<std::string>& names,
                             int64_t most, const std::string& title);

}  // namespace fcm::tasks
