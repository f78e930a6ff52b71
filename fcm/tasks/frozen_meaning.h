// What figures of frozen features are about.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "fcm/base/reporter.h"
#include "fcm/loader/dataset.h"
#include "fcm/tasks/trained_model.h"

namespace fcm::tasks {

// Members of a result: the images that neighbours or a probe know, those that are measured, and
// what the encoder learned from; "notes" where one of the first or last are measured. Warns of
// these.
nlohmann::json frozen_meaning(const TrainedModel& trained, const loader::Dataset& fitted,
                              const loader::Dataset& measured, const std::string& data,
                              Reporter& reporter);

}  // namespace fcm::tasks
