// The data sets from which figures on frozen features come.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "fcm/base/reporter.h"
#include "fcm/loader/dataset.h"
#include "fcm/tasks/trained_model.h"

namespace fcm::tasks {

// Members of a result that describe sets of images: the fitted images (the kNN bank, or the
// training images of the probe), the measured images, and, if known, the images that the encoder
// was trained and pretrained on. If measured images are also in one of the other sets, "notes" say
// so, and are warnings as well.
nlohmann::json frozen_provenance(const TrainedModel& trained, const loader::Dataset& fitted,
                                 const loader::Dataset& measured, const std::string& data,
                                 Reporter& reporter);

}  // namespace fcm::tasks
