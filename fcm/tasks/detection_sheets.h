// Sheets, drawn objects and figures of detectors.
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

// Detections with a smaller score are in the results but are not drawn.
inline constexpr double kDrawnScore = 0.5;

// The number of classes of a data set's objects. Throws Error(kData) if the recipe has another
// number. `data`: the data set as --data names it.
int64_t classes_of_objects(const recipe::Recipe& recipe, const loader::Dataset& dataset,
                           const std::string& data);

// The result of a measurement: "box" and "mask" (each with AP, AP50 ... in percent), "images",
// "unreadable", and "classes" with the AP of boxes and masks of each class.
nlohmann::json figures_of(const eval::DetectionAccuracy& accuracy,
                          const std::vector<std::string>& names);

// The detections that are drawn: those with a score of at least kDrawnScore, with class names.
std::vector<viz::ShownObject> shown_objects(const std::vector<eval::CocoDetection>& found,
                                            const std::vector<std::string>& names);

// A sheet of the first `most` readable images of a set, with ground truth and detections side by
// side.
image::Image detection_sheet(const eval::FindObjects& find, const recipe::Recipe& recipe,
                             const loader::Dataset& dataset, const std::vector<std::string>& names,
                             int64_t most, const std::string& title);

}  // namespace fcm::tasks
