// The data sets behind figures of frozen features.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "fcm/base/reporter.h"
#include "fcm/loader/dataset.h"
#include "fcm/tasks/trained_model.h"

namespace fcm::tasks {

// Members of a result that describe three sets: the fitted images (the kNN bank, or those that the
// probe was trained on), the measured images, and those that the encoder was trained on. "notes" if
// measured images are also in one of the other two; warns with these notes.
nlohmann::json frozen_provenance(const TrainedModel& trained, const loader::Dataset& fitted,
                                 const loader::Dataset& measured, const std::string& data,
                                 Reporter& reporter);

}  // namespace fcm::tasks
