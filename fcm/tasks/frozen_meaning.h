// The data sets behind figures of frozen features.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "fcm/base/reporter.h"
#include "fcm/loader/dataset.h"
#include "fcm/tasks/trained_model.h"

namespace fcm::tasks {

// Members of a result: the images of the bank or of the probe's training, the measured images, and
// what the encoder was trained on; "notes" if measured images are among the first or the last.
// Warns with these notes.
nlohmann::json frozen_meaning(const TrainedModel& trained, const loader::Dataset& fitted,
                              const loader::Dataset& measured, const std::string& data,
                              Reporter& reporter);

}  // namespace fcm::tasks
