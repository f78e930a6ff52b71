// Accuracy of frozen features by nearest neighbours and by a linear probe.
#pragma once

#include <nlohmann/json.hpp>

#include "fcm/tasks/features.h"

namespace fcm::tasks {

// Percent, of both kinds of features.
struct Accuracy {
  double knn_flattened = 0, knn_mean = 0;
  double probe_flattened = 0, probe_mean = 0;
};

Accuracy measure(const FeatureSet& train, const FeatureSet& test, int64_t classes);

}  // namespace fcm::tasks
